"""Loading what a batch needs and writing what it decided, inside the batch's transaction."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pymongo import DeleteOne, ReplaceOne, UpdateOne

from shared.mongo import Database
from shared.mongo.transactions import WriteRefused
from shared.streams.effects import (
    MOST_ROUNDS,
    Delete,
    Find,
    Guarded,
    Incoming,
    Insert,
    Processor,
    Save,
    State,
    Write,
)


async def load(
    database: Database,
    session: Any,
    processor: Processor,
    incoming: Sequence[Incoming],
    first: Sequence[Find] = (),
) -> State:
    """Load what the batch needs, and ask again what that leads to, until it leads nowhere.

    `first` are the answers to the first question, if it was asked already.
    """
    state = State()
    asked: set[Any] = set()
    for number in range(MOST_ROUNDS):
        if number >= processor.rounds:
            return state
        finds = first if number == 0 and first else processor.needs(incoming, state)
        fresh = [find for find in finds if find.key() not in asked]
        if not fresh:
            return state
        for find in fresh:
            asked.add(find.key())
            state.add(find.collection, await _find(database, session, find))
    raise RuntimeError(f"needs() asked for more after {MOST_ROUNDS} rounds")


async def _find(database: Database, session: Any, find: Find) -> list[dict[str, Any]]:
    where: dict[str, Any] = dict(find.where)
    if find.ids:
        where["_id"] = {"$in": list(find.ids)}
    if not where:
        return []
    cursor = database.raw[find.collection].find(where, session=session, limit=find.limit)
    if find.sort:
        cursor = cursor.sort(list(find.sort))
    found: list[dict[str, Any]] = await cursor.to_list(None)
    return found


async def write(database: Database, session: Any, writes: Sequence[Write]) -> None:
    """Write everything, one unordered bulk per collection (and one insert for new documents).

    Raises `WriteRefused` when a guarded update found nothing to update.
    """
    by_collection: dict[str, list[Write]] = defaultdict(list)
    for one in writes:
        by_collection[one.collection].append(one)
    for name, group in by_collection.items():
        await _insert(database.raw[name], session, [w for w in group if isinstance(w, Insert)])
        await _bulk(database.raw[name], session, [w for w in group if not isinstance(w, Insert)])


async def _insert(collection: Any, session: Any, inserts: Sequence[Insert]) -> None:
    """Insert what is new. Inside a transaction a duplicate key would abort everything, so what is
    there is read first; the snapshot makes sure that nobody adds it in between."""
    documents = {insert.document["_id"]: insert.document for insert in reversed(inserts)}
    if not documents:
        return
    cursor = collection.find({"_id": {"$in": list(documents)}}, {"_id": 1}, session=session)
    for present in await cursor.to_list(None):
        del documents[present["_id"]]
    if documents:
        await collection.insert_many(list(documents.values()), ordered=False, session=session)


async def _bulk(collection: Any, session: Any, writes: Sequence[Write]) -> None:
    final: dict[Any, Write] = {}
    guarded: list[Guarded] = []
    for one in writes:
        if isinstance(one, Guarded):
            guarded.append(one)
        elif isinstance(one, Save):
            final[one.document["_id"]] = one
        elif isinstance(one, Delete):
            final[one.document_id] = one
    operations: list[Any] = [UpdateOne(one.where, one.update) for one in guarded]
    deletes = 0
    for one in final.values():
        if isinstance(one, Save):
            operations.append(ReplaceOne({"_id": one.document["_id"]}, one.document, upsert=True))
        elif isinstance(one, Delete):
            operations.append(DeleteOne({"_id": one.document_id}))
            deletes += 1
    if not operations:
        return
    result = await collection.bulk_write(operations, ordered=False, session=session)
    if result.matched_count + result.upserted_count != len(operations) - deletes:
        raise WriteRefused("guard")
