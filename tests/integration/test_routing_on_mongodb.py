"""Routing's writes on a real MongoDB: its indexes and guards agree with what is decided."""

import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import pytest

from services.routing.handlers import Matcher
from services.routing.store import AGENTS, ASSIGNMENTS, COLLECTIONS, WORK_ITEMS
from shared.events import Event
from shared.mongo import Database
from shared.mongo.transactions import Transactions, WriteRefused
from shared.streams import Effects, Incoming, Processor, Received, State
from shared.streams.state import load, write
from tests.support.builders_routing import (
    answered,
    at,
    declared,
    finished,
    policy,
    status,
    submitted,
)


class Applier:
    """Applies batches in transactions, as the stream layer does."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.transactions = Transactions(database)
        self.matcher = Matcher(policy(), "test")
        self.processor = Processor(
            "routing-matcher", ("routing-commands",), self.matcher.needs, self.matcher.decide
        )

    async def run(self, *events: Event, seconds: float = 0) -> list[Event]:
        incoming: Sequence[Incoming] = [Received(event, "shard-0") for event in events]

        async def work(session: Any) -> Effects:
            state = await load(self.database, session, self.processor, incoming)
            effects = self.decide(incoming, state, at(seconds))
            await write(self.database, session, effects.writes)
            return effects

        effects = await self.transactions.run(work)
        return [publish.event for publish in effects.publishes]

    def decide(self, incoming: Sequence[Incoming], state: State, now: datetime) -> Effects:
        return self.matcher.decide(incoming, state, now)

    async def offer(self) -> str:
        (offer,) = await self.database.find(ASSIGNMENTS, {"state": "offered"})
        return str(offer["_id"])


@pytest.fixture
async def applier(mongodb: str) -> AsyncIterator[Applier]:
    database = Database(mongodb, f"routing-{uuid.uuid4().hex[:8]}")
    await database.ensure(COLLECTIONS)
    yield Applier(database)
    await database.client.drop_database(database.name)
    database.close()


async def test_an_offer_and_its_successor_are_written_in_one_transaction(applier: Applier) -> None:
    await applier.run(declared("agent-a"), declared("agent-b", 1), submitted(1))
    first = await applier.offer()

    await applier.run(answered(first, "agent-a", "decline", 5))
    second = await applier.offer()
    await applier.run(answered(second, "agent-b", "decline", 6))

    ended = await applier.database.find(ASSIGNMENTS, {}, [("made_at", 1)])
    assert {one["agent_id"]: one["state"] for one in ended} == {
        "agent-a": "declined",
        "agent-b": "declined",
    }
    assert await applier.database.count(AGENTS, {"units_held": 0}) == 2


async def test_the_line_is_read_by_skills_units_and_rank(applier: Applier) -> None:
    await applier.run(
        submitted(1, 1, required_skills=("german",)),
        submitted(2, 2, capacity_units=3),
        submitted(3, 3, required_skills=("orders",)),
        submitted(4, 4),
    )

    await applier.run(declared("agent-a", 5, skills=("orders", "vip"), capacity_units=2))

    offered = await applier.database.find(WORK_ITEMS, {"state": "offered"}, [("rank", 1)])
    assert [one["_id"] for one in offered] == ["work-3", "work-4"]


async def test_a_whole_day_leaves_no_capacity_held(applier: Applier) -> None:
    await applier.run(declared("agent-a", capacity_units=1), submitted(1), submitted(2, 1))
    for number in (1, 2):
        offer = await applier.offer()
        await applier.run(answered(offer, "agent-a", "accept", 10 + number))
        await applier.run(finished(f"work-{number}", "agent-a", 20 + number))
    await applier.run(status("agent-a", "away", 60))

    assert await applier.database.count(WORK_ITEMS, {"state": "completed"}) == 2
    assert await applier.database.count(ASSIGNMENTS, {"active": True}) == 0
    agent = await applier.database.find_one(AGENTS, {"_id": "agent-a"}) or {}
    assert (agent["units_held"], agent["held"]) == (0, [])


async def test_the_unique_index_refuses_a_second_active_assignment(applier: Applier) -> None:
    await applier.run(declared("agent-a"), submitted(1))
    (offer,) = await applier.database.find(ASSIGNMENTS, {})

    async def work(session: Any) -> None:
        effects = Effects()
        effects.save(ASSIGNMENTS, offer | {"_id": "offer-of-a-bug"})
        await write(applier.database, session, effects.writes)

    with pytest.raises(WriteRefused):
        await applier.transactions.run(work)


async def test_the_guard_refuses_more_than_the_capacity(applier: Applier) -> None:
    await applier.run(declared("agent-a", capacity_units=1), submitted(1))
    decide = applier.decide

    def deciding_on_a_free_agent(
        incoming: Sequence[Incoming], state: State, now: datetime
    ) -> Effects:
        for agent in state.all(AGENTS):
            agent |= {"units_held": 0, "held": []}
        return decide(incoming, state, now)

    applier.decide = deciding_on_a_free_agent  # type: ignore[method-assign]

    with pytest.raises(WriteRefused):
        await applier.run(submitted(2))
