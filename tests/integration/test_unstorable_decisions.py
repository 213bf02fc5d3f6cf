"""What no document can hold is the fault of the one record it came from, never of the process."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from shared.mongo import Collection, Database
from shared.mongo.transactions import Transactions
from shared.streams import STREAM_COLLECTIONS, Effects, Processor, Received
from shared.streams.positions import claim
from shared.streams.unit import DecisionFailed, Held, Unit, Units
from tests.support.builders import NOON, a_message_received

SHARD = "ledger/contact-events/0"
LONG_AGO = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))  # before year 1 in UTC


@pytest.fixture
async def database(mongodb: str) -> AsyncIterator[Database]:
    one = Database(mongodb, f"t{uuid.uuid4().hex[:8]}")
    await one.ensure((*STREAM_COLLECTIONS, Collection("pages")))
    yield one
    await one.client.drop_database(one.name)
    one.close()


async def apply(database: Database, effects: Effects) -> None:
    processor = Processor("ledger", ("contact-events",), lambda *_: (), lambda *_: effects)
    transactions = Transactions(database)
    (mine,) = await claim(
        database, [SHARD], generation=1, owner="t", lsid=await transactions.lsid(), force=False
    )
    held = Held(SHARD, "contact-events", 0, mine.epoch, mine.offset, mine.offset, mine.ticks)
    unit = Unit({SHARD: held}, [Received(a_message_received("conv_1"), SHARD)], offsets={SHARD: 0})
    units = Units(processor, database, transactions)
    try:
        await units.apply(unit, datetime.now(UTC), units.look(unit, NOON))
    finally:
        await transactions.close()


@pytest.mark.parametrize(
    "value",
    [2**70, LONG_AGO, {"a\0b": 1}, "\ud800", {1: 2}, "x" * (17 * 1024 * 1024)],
    ids=["65-bits", "before-year-1", "nul-in-a-key", "lone-surrogate", "not-a-name", "too-large"],
)
async def test_a_document_that_mongodb_cannot_hold_fails_the_decision(
    database: Database, value: Any
) -> None:
    effects = Effects()
    effects.save("pages", {"_id": "p", "value": value})
    with pytest.raises(DecisionFailed):
        await apply(database, effects)


async def test_a_timer_that_mongodb_cannot_hold_fails_the_decision(database: Database) -> None:
    effects = Effects()
    because = Received(a_message_received("conv_1"), SHARD)
    effects.set_timer("t", "lease", NOON, {"n": 2**70}, because)
    with pytest.raises(DecisionFailed):
        await apply(database, effects)
