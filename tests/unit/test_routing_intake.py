"""Intake: which messages open a case, and where it goes."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.routing.domain.policy import RoutingPolicy
from services.routing.handlers import Intake
from services.routing.store import CASES
from shared.case_reference import case_reference
from shared.events.contact import InteractionStarted
from shared.events.contact_data import InteractionData
from shared.events.envelope import OpaqueEvent
from shared.events.routing import CaseOpened, WorkItemSubmitted
from shared.policy import load_policy
from tests.support.builders_routing import World, at, message

EXAMPLE = Path(__file__).parents[2] / "deploy/policy/routing.yaml"


def example_policy() -> RoutingPolicy:
    return load_policy(EXAMPLE, RoutingPolicy).content


@pytest.fixture
def world() -> World:
    return World(Intake(example_policy(), "v1"))


def test_a_first_message_opens_a_case_and_submits_its_work_item(world: World) -> None:
    opened, submitted = world.run(message("Where is my order?"))

    assert isinstance(opened, CaseOpened)
    assert isinstance(submitted, WorkItemSubmitted)
    assert opened.partitionkey == "conv-1"
    assert submitted.partitionkey == "default"
    assert opened.data.about.case_reference == submitted.data.about.case_reference
    assert (submitted.data.queue, submitted.data.required_skills) == ("orders", ("orders",))
    assert submitted.data.arrived_at == at(0)


def test_a_further_message_on_an_open_case_adds_nothing(world: World) -> None:
    world.run(message())

    assert world.run(message("Hello?", seconds=60)) == []


def test_two_messages_in_one_batch_open_one_case(world: World) -> None:
    events = world.run(message(), message("And more", seconds=1))

    assert [type(event) for event in events] == [CaseOpened, WorkItemSubmitted]


def test_the_same_message_again_opens_nothing(world: World) -> None:
    world.run(message())

    assert world.run(message()) == []


def test_an_automatic_message_opens_nothing_and_reads_nothing(world: World) -> None:
    assert world.run(message("I am on holiday", automatic=True)) == []
    assert world.finds == []


def test_an_event_of_an_unknown_type_opens_nothing(world: World) -> None:
    opaque = OpaqueEvent(id="x", source="/x", type="x.v9", time=at(0), partitionkey="conv-1")

    assert world.run(opaque) == []


@pytest.mark.parametrize(("direction", "cases"), [("inbound", 1), ("outbound", 0)])
def test_only_a_call_from_the_customer_opens_a_case(
    world: World, direction: str, cases: int
) -> None:
    data = message().data.model_dump() | {
        "channel": "voice",
        "interaction_id": "call-1",
        "direction": direction,
    }
    call = InteractionStarted(
        id="call-1",
        source="/ingest",
        time=at(0),
        partitionkey="conv-1",
        data=InteractionData.model_validate(data),
    )
    world.run(call)

    assert len(world.all(CASES)) == cases


def test_a_message_after_completion_opens_the_next_case(world: World) -> None:
    world.run(message())
    (case,) = world.all(CASES)
    case["completed_at"] = at(100)

    opened, _ = world.run(message("It broke again", seconds=101))

    assert opened.data.about.case_id != case["_id"]  # type: ignore[attr-defined]
    assert {one["serial"] for one in world.all(CASES)} == {0, 1}


def test_replaying_the_messages_before_completion_opens_nothing(world: World) -> None:
    first, second = message(), message("More", seconds=50)
    world.run(first, second)
    world.all(CASES)[0]["completed_at"] = at(50)

    assert world.run(first, second) == []


def test_a_taken_reference_gives_way_to_the_next_one(world: World) -> None:
    world.run(message())
    (mine,) = world.all(CASES)
    other = World(world.processor)
    other.documents[CASES] = {"case-x": mine | {"_id": "case-x", "conversation_id": "conv-x"}}

    other.run(message())

    assert other.one(CASES, mine["_id"])["reference"] == case_reference(mine["_id"], 1)


def test_a_redelivery_in_another_order_gives_the_same_ids(world: World) -> None:
    twin = World(world.processor)
    one, other = message(), message(conversation_id="conv-2")

    ids = {event.id for event in world.run(one, other)}

    assert ids == {event.id for event in twin.run(other, one)}
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("text", "queue"),
    [
        ("Where is my PARCEL?", "orders"),
        ("Moje naročilo ni prišlo", "orders"),
        ("To je reklamacija", "complaints"),
        ("Rad bi oddal pritožbo", "complaints"),
        ("Rad bi oddal pritoz\u030cbo", "complaints"),  # the same letter, typed as two
        ("I will border on rage", "general"),  # `order` is a whole word
        ("Good morning", "general"),
    ],
)
def test_the_first_matching_rule_decides_the_queue(world: World, text: str, queue: str) -> None:
    opened, _ = world.run(message(text))

    assert opened.data.queue == queue  # type: ignore[attr-defined]


def test_the_time_of_arrival_is_the_event_time(world: World) -> None:
    late = message(seconds=5, received_at=at(5) + timedelta(hours=1))

    _, submitted = world.run(late)

    assert submitted.data.arrived_at == at(5)  # type: ignore[attr-defined]
