"""Routing's board over a real history: no double hold, no overload, nobody forgotten."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.routing.store import AGENTS, ASSIGNMENTS, WORK_ITEMS
from shared.events import Event
from shared.events.routing import OfferDeclined, OfferExpired, OfferMade
from tests.support import builders_routing as build

AGENT_IDS = ("agent-a", "agent-b", "agent-c")
SKILLS = st.sets(st.sampled_from(("orders", "german")), max_size=2).map(sorted)
UNITS = st.integers(1, 3)


class RoutingHistory(RuleBasedStateMachine):
    """Facts in any order, in batches, some twice; the documents must hold after each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.world = build.matcher_world(away_after_expiries=2, retry_after_seconds=20)
        self.seconds = 0.0
        self.batch: list[Event] = []
        self.history: list[Event] = []
        self.arrived: dict[str, Any] = {}
        self.refused: dict[str, set[str]] = {}

    def soon(self, event: Event) -> None:
        self.batch.append(event)
        self.history.append(event)

    @rule(priority=st.integers(0, 3), skills=SKILLS, units=UNITS, late=st.integers(0, 300))
    def a_work_item_arrives(self, priority: int, skills: list[str], units: int, late: int) -> None:
        number = len(self.arrived)
        event = build.submitted(
            number,
            self.seconds - late,
            priority=priority,
            required_skills=tuple(skills),
            capacity_units=units,
        )
        self.arrived[event.data.work_item_id] = event.data.arrived_at
        self.soon(event)

    @rule(agent=st.sampled_from(AGENT_IDS), skills=SKILLS, units=st.integers(1, 4))
    def an_agent_is_declared(self, agent: str, skills: list[str], units: int) -> None:
        self.tick(1)
        self.soon(build.declared(agent, self.seconds, skills=tuple(skills), capacity_units=units))

    @rule(agent=st.sampled_from(AGENT_IDS), status=st.sampled_from(("available", "away")))
    def a_status_is_declared(self, agent: str, status: str) -> None:
        self.tick(1)
        self.soon(build.status(agent, status, self.seconds))

    @rule(choice=st.integers(0, 10), answer=st.sampled_from(("accept", "decline")))
    def an_offer_is_answered(self, choice: int, answer: str) -> None:
        offers = self.world.offers()
        if offers:
            self.tick(1)
            offer = offers[choice % len(offers)]
            self.soon(build.answered(offer["_id"], offer["agent_id"], answer, self.seconds))

    @rule(choice=st.integers(0, 10))
    def a_work_item_is_finished(self, choice: int) -> None:
        assigned = [one for one in self.world.all(WORK_ITEMS) if one["state"] == "assigned"]
        if assigned:
            self.tick(1)
            item = assigned[choice % len(assigned)]
            self.soon(build.finished(item["_id"], item["agent_id"], self.seconds))

    @precondition(lambda self: self.history)
    @rule(choice=st.integers(0, 50))
    def something_comes_again(self, choice: int) -> None:
        self.batch.append(self.history[choice % len(self.history)])

    @rule()
    def the_batch_is_applied(self) -> None:
        batch, self.batch = self.batch, []
        self.follow(self.world.run(*batch, seconds=self.seconds))
        assert self.world.run(*batch, seconds=self.seconds) == []  # redelivered as a whole
        self.check()

    @rule(seconds=st.sampled_from((1, 10, 31, 61)), most=st.sampled_from((1, 500)))
    def time_passes(self, seconds: int, most: int) -> None:
        self.the_batch_is_applied()
        self.tick(seconds)
        while due := self.world.due(self.seconds)[:most]:
            for timer in due:
                item_id = timer.data.get("work_item_id", "")
                waits = item_id and self.world.one(WORK_ITEMS, item_id)["state"] == "waiting"
                if timer.kind == "offer-again" and (waits or len(due) > 1):
                    self.refused.pop(item_id, None)
            self.follow(self.world.fire(self.seconds, most))
            self.check()

    def follow(self, published: list[Event]) -> None:
        """Nobody is offered what they refused, until its time to be asked again has come."""
        for event in published:
            if isinstance(event, (OfferDeclined, OfferExpired)):
                self.refused.setdefault(event.data.work_item_id, set()).add(event.data.agent_id)
            if isinstance(event, OfferMade):
                refusers = self.refused.get(event.data.work_item_id, set())
                assert event.data.agent_id not in refusers

    def tick(self, seconds: float) -> None:
        self.seconds += seconds

    @invariant()
    def at_most_one_active_assignment(self) -> None:
        active = [one["work_item_id"] for one in self.world.all(ASSIGNMENTS) if one["active"]]
        assert len(active) == len(set(active))

    def check(self) -> None:
        self.capacity_is_held_exactly_while_an_assignment_is_active()
        self.nobody_is_over_capacity_unless_it_was_cut()
        self.nobody_waits_beside_a_fitting_free_agent()
        self.age_is_kept()
        self.refused_work_is_looked_at_again()

    def capacity_is_held_exactly_while_an_assignment_is_active(self) -> None:
        holds = {
            (hold["offer_id"], agent["_id"], hold["units"], hold["accepted"])
            for agent in self.world.all(AGENTS)
            for hold in agent["held"]
        }
        active = {
            (one["_id"], one["agent_id"], one["units"], one["state"] == "accepted")
            for one in self.world.all(ASSIGNMENTS)
            if one["active"]
        }
        assert holds == active
        for agent in self.world.all(AGENTS):
            assert agent["units_held"] == sum(hold["units"] for hold in agent["held"])
        states = {
            one["work_item_id"]: one["state"]
            for one in self.world.all(ASSIGNMENTS)
            if one["active"]
        }
        for item in self.world.all(WORK_ITEMS):
            expected = {"offered": "offered", "assigned": "accepted"}.get(item["state"])
            assert states.get(item["_id"]) == expected

    def nobody_is_over_capacity_unless_it_was_cut(self) -> None:
        for agent in self.world.all(AGENTS):
            accepted = sum(hold["units"] for hold in agent["held"] if hold["accepted"])
            over = agent["units_held"] - agent["capacity_units"]
            # cut below what is accepted, an agent keeps that, and nothing else is offered
            assert over <= 0 or agent["units_held"] == accepted

    def nobody_waits_beside_a_fitting_free_agent(self) -> None:
        for item in self.world.all(WORK_ITEMS):
            for agent in self.world.all(AGENTS) if item["state"] == "waiting" else ():
                fits = (
                    agent["status"] == "available"
                    and set(item["required_skills"]) <= set(agent["skills"])
                    and agent["capacity_units"] - agent["units_held"] >= item["capacity_units"]
                )
                assert not fits or agent["_id"] in item["refused_by"]

    def age_is_kept(self) -> None:
        for item in self.world.all(WORK_ITEMS):
            arrived = self.arrived[item["_id"]]
            assert item["arrived_at"] == arrived
            milliseconds = round(arrived.timestamp() * 1000)
            assert item["rank"] == milliseconds - item["priority"] * 60_000

    def refused_work_is_looked_at_again(self) -> None:
        for item in self.world.all(WORK_ITEMS):
            if item["state"] == "waiting" and item["refused_by"]:
                assert f"again:{item['_id']}" in self.world.timers
        for offer in self.world.offers():
            assert f"lease:{offer['_id']}" in self.world.timers


RoutingHistory.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
test_routing_holds_over_any_history = RoutingHistory.TestCase
