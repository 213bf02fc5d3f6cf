"""The matcher: offers, answers, leases, and what it reads."""

import pytest

from services.routing.store import AGENTS, ASSIGNMENTS, CASES, OUTCOMES, WORK_ITEMS
from shared.events import Event
from shared.events.routing import (
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    OfferWithdrawn,
    WorkItemCompleted,
    WorkItemQueued,
)
from tests.support.builders_routing import (
    GuardRefused,
    World,
    answered,
    at,
    declared,
    finished,
    matcher_world,
    status,
    submitted,
    units_held,
)

MAJA, TINE = "agent-maja", "agent-tine"


def kinds(events: list[Event]) -> list[type[Event]]:
    return [type(event) for event in events]


def offer_of(world: World, agent_id: str) -> str:
    """Return the id of the one offer that waits for this agent's answer."""
    (offer,) = world.offers(agent_id)
    return str(offer["_id"])


@pytest.fixture
def world() -> World:
    return matcher_world()


def test_a_submitted_item_is_offered_to_the_free_agent(world: World) -> None:
    world.run(declared(MAJA))

    queued, offered = world.run(submitted(1, 10), seconds=10)

    assert isinstance(queued, WorkItemQueued)
    assert isinstance(offered, OfferMade)
    assert offered.data.agent_id == MAJA
    assert offered.data.expires_at == at(40)
    assert offered.partitionkey == "conv-1"
    assert units_held(world, MAJA) == 1


def test_an_item_that_waits_goes_to_the_agent_who_becomes_available(world: World) -> None:
    world.run(declared(MAJA, status="away"))
    assert kinds(world.run(submitted(1, 1))) == [WorkItemQueued]

    assert kinds(world.run(status(MAJA, "available", 2))) == [OfferMade]


def test_freed_capacity_takes_the_oldest_fitting_item_at_once(world: World) -> None:
    world.run(declared(MAJA, capacity_units=1))
    world.run(submitted(1, 1))
    world.run(submitted(3, 3), submitted(2, 2), submitted(4, 0, required_skills=("german",)))
    world.run(answered(offer_of(world, MAJA), MAJA, "accept", 5))

    events = world.run(finished("work-1", MAJA, 65))

    assert kinds(events) == [WorkItemCompleted, OfferMade]
    assert events[0].data.handled_seconds == 60  # type: ignore[attr-defined]
    assert events[1].data.work_item_id == "work-2"  # type: ignore[attr-defined]


def test_priority_is_worth_its_head_start_and_no_more(world: World) -> None:
    world.run(submitted(1, 0), submitted(2, 59, priority=1), submitted(3, 61, priority=1))

    world.run(declared(MAJA, 100, capacity_units=3))

    made = [event for event in world.published if isinstance(event, OfferMade)]
    assert [event.data.work_item_id for event in made] == ["work-2", "work-1", "work-3"]


def test_the_offer_tells_how_many_were_left_out_and_why(world: World) -> None:
    world.run(
        declared(MAJA, skills=("orders",)),
        declared(TINE, skills=("orders",), status="away"),
        declared("agent-c"),
        declared("agent-d", skills=("orders",), capacity_units=1),
    )

    (made,) = [
        event
        for event in world.run(submitted(1, required_skills=("orders",), capacity_units=2))
        if isinstance(event, OfferMade)
    ]

    assert made.data.considered == 4
    assert made.data.excluded == {"away": 1, "skill": 1, "capacity": 1}
    assert made.data.policy_version == "test"


def test_the_agent_with_the_most_free_share_comes_first_then_the_longest_idle(
    world: World,
) -> None:
    world.run(declared(MAJA, 2, capacity_units=4), declared(TINE, 1, capacity_units=2))

    world.run(submitted(1), submitted(2), submitted(3))

    by_item = {one["work_item_id"]: one["agent_id"] for one in world.offers()}
    assert by_item == {"work-1": TINE, "work-2": MAJA, "work-3": MAJA}


def test_a_declined_item_goes_to_another_agent_with_its_age_kept(world: World) -> None:
    world.run(declared(MAJA, 0), declared(TINE, 1))
    world.run(submitted(1, 5))

    events = world.run(answered(offer_of(world, MAJA), MAJA, "decline", 6))

    assert kinds(events) == [OfferDeclined, WorkItemQueued, OfferMade]
    assert events[1].data.arrived_at == at(5)  # type: ignore[attr-defined]
    assert events[1].data.reason == "declined"  # type: ignore[attr-defined]
    assert events[2].data.agent_id == TINE  # type: ignore[attr-defined]


def test_when_all_refused_they_are_asked_again_after_a_pause(world: World) -> None:
    world.run(declared(MAJA))
    world.run(submitted(1, 1))
    world.run(answered(offer_of(world, MAJA), MAJA, "decline", 5), seconds=5)
    assert world.fire(34) == []

    assert kinds(world.fire(36)) == [OfferMade]


def test_an_expired_offer_counts_at_the_end_of_its_lease(world: World) -> None:
    world.run(declared(MAJA), declared(TINE, 1))
    world.run(submitted(1), seconds=10)

    expired, queued, made = world.fire(300)

    assert isinstance(expired, OfferExpired)
    assert expired.time == at(40)
    assert queued.data.reason == "expired"  # type: ignore[attr-defined]
    assert made.data.agent_id == TINE  # type: ignore[attr-defined]


def test_an_answer_given_in_time_counts_though_it_is_heard_late(world: World) -> None:
    world.run(declared(MAJA))
    world.run(submitted(1), seconds=0)

    events = world.run(answered(offer_of(world, MAJA), MAJA, "accept", 30), seconds=300)

    assert kinds(events) == [OfferAccepted]


def test_an_answer_given_too_late_does_not_count_though_the_timer_is_late(world: World) -> None:
    world.run(declared(MAJA))
    world.run(submitted(1), seconds=0)
    late = answered(offer_of(world, MAJA), MAJA, "accept", 30.001)

    events = world.run(late, seconds=31)

    assert kinds(events) == [OfferExpired, WorkItemQueued]
    assert world.one(OUTCOMES, late.id)["code"] == "offer-expired"


def test_an_agent_who_lets_offers_ring_is_sent_away() -> None:
    world = matcher_world(away_after_expiries=2, retry_after_seconds=1)
    world.run(declared(MAJA))
    world.run(submitted(1))
    for seconds in (31, 33, 70):
        world.fire(seconds)

    assert world.one(AGENTS, MAJA)["status"] == "away"
    assert world.one(WORK_ITEMS, "work-1")["state"] == "waiting"


def test_an_agent_sent_away_is_offered_work_again_once_available() -> None:
    world = matcher_world(away_after_expiries=1, retry_after_seconds=1)
    world.run(declared(MAJA))
    world.run(submitted(1))
    world.fire(31)
    world.fire(33)  # the item's refusal is forgotten, and nobody is there
    assert world.offers() == []

    assert kinds(world.run(status(MAJA, "available", 80), seconds=80)) == [OfferMade]


def test_going_away_takes_pending_offers_back_and_leaves_assignments(world: World) -> None:
    world.run(declared(MAJA))
    world.run(submitted(1, 1))
    world.run(answered(offer_of(world, MAJA), MAJA, "accept", 2))
    world.run(submitted(2, 3))

    events = world.run(status(MAJA, "away", 4))

    assert kinds(events) == [OfferWithdrawn, WorkItemQueued]
    assert world.one(WORK_ITEMS, "work-1")["state"] == "assigned"
    assert world.one(WORK_ITEMS, "work-2")["state"] == "waiting"
    assert units_held(world, MAJA) == 1


def test_an_older_status_changes_nothing(world: World) -> None:
    world.run(declared(MAJA), status(MAJA, "available", 20))

    world.run(status(MAJA, "away", 10))

    assert world.one(AGENTS, MAJA)["status"] == "available"
    assert world.one(OUTCOMES, f"status-{MAJA}-10")["code"] == "superseded"


def test_the_same_command_again_keeps_its_first_outcome(world: World) -> None:
    world.run(declared(MAJA))
    world.run(submitted(1))
    accept = answered(offer_of(world, MAJA), MAJA, "accept", 2)
    world.run(accept)
    world.run(finished("work-1", MAJA, 3))
    before = world.one(OUTCOMES, accept.id)

    assert world.run(accept) == []
    assert world.one(OUTCOMES, accept.id) is before
    assert before["ok"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (answered("offer-x", MAJA, "accept", 9), "offer-unknown"),
        (finished("work-x", MAJA, 9), "work-item-unknown"),
        (finished("work-1", MAJA, 9), "work-item-not-assigned"),
        (finished("work-1", TINE, 9), "work-item-not-yours"),
        (status("agent-x", "away", 9), "agent-unknown"),
    ],
)
def test_a_refused_command_has_its_reason(world: World, command: Event, code: str) -> None:
    world.run(declared(MAJA))
    world.run(submitted(1))

    assert world.run(command) == []
    outcome = world.one(OUTCOMES, command.id)
    assert (outcome["ok"], outcome["code"]) == (False, code)
    assert outcome["fix"]


def test_an_agent_stays_in_its_pool(world: World) -> None:
    world.run(declared(MAJA))

    world.run(declared(MAJA, 5, pool="other"))

    assert world.one(AGENTS, MAJA)["pool"] == "default"
    assert world.one(OUTCOMES, f"declared-{MAJA}-5")["code"] == "agent-in-another-pool"


def test_declaring_an_agent_of_another_pool_does_not_touch_that_pools_line(world: World) -> None:
    world.run(declared(MAJA, capacity_units=1))
    world.run(*(submitted(number) for number in range(30)))

    assert world.run(declared(MAJA, 5, pool="other")) == []
    assert all(not find.sort or ("pool", "other") in find.where for find in world.finds)


def test_completing_the_work_completes_the_case(world: World) -> None:
    world.documents[CASES] = {"case-1": {"_id": "case-1", "completed_at": None}}
    world.run(declared(MAJA))
    world.run(submitted(1))
    world.run(answered(offer_of(world, MAJA), MAJA, "accept", 5))

    world.run(finished("work-1", MAJA, 65))

    assert world.one(CASES, "case-1")["completed_at"] == at(65)


def test_a_full_house_costs_one_insert_and_one_event_and_reads_no_line(world: World) -> None:
    world.run(declared(MAJA, capacity_units=1), submitted(0))

    events = world.run(*(submitted(number) for number in range(1, 100)))

    assert kinds(events) == [WorkItemQueued] * 99
    assert all(not find.sort for find in world.finds)  # the line is what is sorted


def test_a_freed_agent_reads_only_the_head_of_the_line(world: World) -> None:
    world.run(declared(MAJA, capacity_units=1), submitted(0))
    world.run(*(submitted(number, number) for number in range(1, 200)))
    world.run(answered(offer_of(world, MAJA), MAJA, "accept", 5))

    world.run(finished("work-0", MAJA, 300))

    (line,) = [find for find in world.finds if find.sort]
    assert line.limit == 20


def test_a_line_hidden_behind_refused_items_is_found_by_the_next_sweep(world: World) -> None:
    world.run(declared(MAJA, capacity_units=1, status="away"))
    world.run(*(submitted(number, number) for number in range(30)))
    for number in range(25):  # all of the head that a first look loads
        world.one(WORK_ITEMS, f"work-{number}")["refused_by"] = [MAJA]

    assert world.run(status(MAJA, "available", 100), seconds=100) == []
    (made,) = world.fire(101)

    assert made.data.work_item_id == "work-25"  # type: ignore[attr-defined]


def test_a_decision_on_an_outdated_agent_is_refused_by_the_guard(world: World) -> None:
    world.run(declared(MAJA))
    state = world._load([])
    assert state is not None
    outdated = dict(world.one(AGENTS, MAJA))
    world.run(submitted(1))
    find = world._find

    def stale(query: object) -> list[dict[str, object]]:
        return [outdated] if query.collection == AGENTS else find(query)  # type: ignore

    world._find = stale  # type: ignore[method-assign, assignment]

    with pytest.raises(GuardRefused):
        world.run(submitted(2))


def test_capacity_is_checked_by_the_database_even_if_the_version_is_right(world: World) -> None:
    world.run(declared(MAJA, capacity_units=1))
    loaded = dict(world.one(AGENTS, MAJA))
    world.one(AGENTS, MAJA)["units_held"] = 1
    find = world._find

    def stale(query: object) -> list[dict[str, object]]:
        return [loaded] if query.collection == AGENTS else find(query)  # type: ignore

    world._find = stale  # type: ignore[method-assign, assignment]

    with pytest.raises(GuardRefused):
        world.run(submitted(1))


def test_every_decision_says_whom_it_is_about(world: World) -> None:
    world.run(declared(MAJA))
    world.run(submitted(1))
    world.run(answered(offer_of(world, MAJA), MAJA, "accept", 5))
    world.run(finished("work-1", MAJA, 65))

    assert len(world.published) == 4
    for event in world.published:
        about = event.data.about  # type: ignore[attr-defined]
        assert (about.case_id, about.channel) == ("case-1", "chat")
        assert about.contact_points == ("email:ana@example.com",)
        assert (event.source, event.partitionkey) == ("/routing", "conv-1")
    assert len({event.id for event in world.published}) == 4
    assert {one["state"] for one in world.all(ASSIGNMENTS)} == {"completed"}
