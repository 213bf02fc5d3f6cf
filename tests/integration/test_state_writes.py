"""What effects do to documents, on a real MongoDB and against a model that is a dictionary."""

import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from shared.mongo import Collection, Database
from shared.mongo.transactions import Transactions, WriteRefused
from shared.streams import state
from shared.streams.effects import Delete, Effects, Guarded, Insert, Save, State, Write


@pytest.fixture
async def database(mongodb: str) -> AsyncIterator[Database]:
    """A database with one collection."""
    one = Database(mongodb, f"t{uuid.uuid4().hex[:8]}")
    await one.ensure([Collection("docs")])
    yield one
    await one.client.drop_database(one.name)
    one.close()


async def _write(database: Database, writes: Sequence[Write]) -> dict[str, Any]:
    """Write as a unit does: hopefully first, and if that is refused, carefully."""
    transactions = Transactions(database, deadline=5.0)

    async def work(session: Any, careful: bool) -> None:
        await state.write(database, session, writes, State(), careful=careful)

    try:
        await transactions.run(lambda session: work(session, careful=False))
    except WriteRefused:
        await transactions.run(lambda session: work(session, careful=True))
    finally:
        await transactions.close()
    return {document["_id"]: document.get("n") for document in await database.find("docs", {})}


def _save(name: str, n: int) -> Save:
    return Save("docs", {"_id": name, "n": n})


def _insert(name: str, n: int) -> Insert:
    return Insert("docs", {"_id": name, "n": n})


@pytest.mark.parametrize(
    ("writes", "after"),
    [
        ([_save("old", 2)], {"old": 2}),
        ([_save("new", 1), _save("new", 2), _save("new", 3)], {"old": 1, "new": 3}),
        ([_save("new", 1), Delete("docs", "new")], {"old": 1}),
        ([Delete("docs", "old"), _save("old", 5)], {"old": 5}),
        ([Delete("docs", "old")], {}),
        ([Delete("docs", "none")], {"old": 1}),
        ([_insert("old", 9)], {"old": 1}),
        ([_insert("new", 1), _insert("new", 2)], {"old": 1, "new": 1}),
        ([_insert("old", 9), _insert("new", 3)], {"old": 1, "new": 3}),
        ([Guarded("docs", {"_id": "old", "n": 1}, {"$inc": {"n": 1}})], {"old": 2}),
        ([], {"old": 1}),
    ],
    ids=str,
)
async def test_writes_of_a_batch_come_to_this(
    database: Database, writes: list[Write], after: dict[str, int]
) -> None:
    await database.insert("docs", {"_id": "old", "n": 1})
    assert await _write(database, writes) == after


@pytest.mark.parametrize("where", [{"_id": "old", "n": 2}, {"_id": "none"}], ids=str)
async def test_a_guard_that_matches_nothing_refuses_the_whole_batch(
    database: Database, where: dict[str, Any]
) -> None:
    await database.insert("docs", {"_id": "old", "n": 1})
    with pytest.raises(WriteRefused):
        await _write(
            database,
            [_save("new", 1), _save("old", 7), Guarded("docs", where, {"$inc": {"n": 1}})][::2],
        )
    assert await _write(database, []) == {"old": 1}


async def test_two_owners_who_insert_the_same_document_leave_one(database: Database) -> None:
    transactions = Transactions(database, deadline=5.0)

    async def slow(session: Any) -> None:
        await database.raw["docs"].find_one({"_id": "x"}, session=session)  # snapshot from now
        if not await database.find_one("docs", {"_id": "x"}):
            await _write(database, [_insert("x", 1)])
        await state.write(database, session, [_insert("x", 2)], State(), careful=True)

    await transactions.run(slow)
    await transactions.close()
    assert await _write(database, []) == {"x": 1}


def test_effects_keep_the_order_in_which_they_were_collected() -> None:
    effects = Effects()
    effects.save("docs", {"_id": "a"})
    effects.delete("docs", "a")
    assert [type(write) for write in effects.writes] == [Save, Delete]
