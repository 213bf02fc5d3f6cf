"""The fence on a real MongoDB: who may move a position, and from where."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from shared.mongo import Database
from shared.mongo.transactions import Transactions
from shared.streams import STREAM_COLLECTIONS
from shared.streams.positions import Claim, Fenced, Move, advance, claim

SHARD = "ledger/contact-events/0"


@pytest.fixture
async def database(mongodb: str) -> AsyncIterator[Database]:
    """A database of its own."""
    one = Database(mongodb, f"t{uuid.uuid4().hex[:8]}")
    await one.ensure(STREAM_COLLECTIONS)
    yield one
    await one.client.drop_database(one.name)
    one.close()


@pytest.fixture
async def transactions(database: Database) -> AsyncIterator[Transactions]:
    """One owner's session."""
    one = Transactions(database, deadline=5.0)
    yield one
    await one.close()


async def _claim(database: Database, generation: int = 1, *, force: bool = False) -> list[Claim]:
    return await claim(database, [SHARD], generation=generation, owner="me", lsid=None, force=force)


async def _move(database: Database, transactions: Transactions, move: Move) -> None:
    await transactions.run(lambda session: advance(database, session, [move], uuid.uuid4().hex))


async def test_an_owner_moves_its_position_record_by_record_and_tick_by_tick(
    database: Database, transactions: Transactions
) -> None:
    await _claim(database)
    await _move(database, transactions, Move(SHARD, 1, -1, 0, 4))
    await _move(database, transactions, Move(SHARD, 1, 4, 0, None))
    await _move(database, transactions, Move(SHARD, 1, 4, 1, 5))
    assert (await _claim(database))[0] == Claim(SHARD, epoch=2, offset=5, ticks=1)


@pytest.mark.parametrize(
    "changed",
    [{"epoch": 1}, {"epoch": 3}, {"offset": 3}, {"offset": 5}, {"ticks": 0}, {"ticks": 2}],
    ids=str,
)
@pytest.mark.parametrize("to", [9, None])
async def test_a_position_that_stands_elsewhere_refuses(
    database: Database, transactions: Transactions, changed: dict[str, int], to: int | None
) -> None:
    await _claim(database)
    await _move(database, transactions, Move(SHARD, 1, -1, 0, 4))
    await _move(database, transactions, Move(SHARD, 1, 4, 0, None))
    await _claim(database)
    right = Move(SHARD, 2, 4, 1, to)

    with pytest.raises(Fenced):
        await _move(database, transactions, replace(right, **changed))

    await _move(database, transactions, right)


@pytest.mark.parametrize("to", [9, None])
async def test_a_claim_during_a_transaction_makes_it_fail(
    database: Database, transactions: Transactions, to: int | None
) -> None:
    await _claim(database)

    async def slow(session: object) -> None:
        await database.raw["pages"].find_one({}, session=session)  # its snapshot is from now
        if not claimed:
            claimed.extend(await _claim(database))
        await advance(database, session, [Move(SHARD, 1, -1, 0, to)], "slow")

    claimed: list[Claim] = []
    with pytest.raises(Fenced):
        await transactions.run(slow)
    assert (await _claim(database))[0].offset == -1


async def test_a_claim_of_an_earlier_generation_is_refused_unless_forced(
    database: Database,
) -> None:
    await _claim(database, generation=7)
    assert await _claim(database, generation=6) == []
    assert [one.epoch for one in await _claim(database, generation=7)] == [2]
    assert [one.epoch for one in await _claim(database, generation=6, force=True)] == [3]
