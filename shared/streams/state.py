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
    Document,
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
            state.add(find.collection, await _find(database, session, find), find.ids)
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


async def write(
    database: Database, session: Any, writes: Sequence[Write], loaded: State, *, careful: bool
) -> None:
    """Write everything, one unordered bulk per collection.

    What `loaded` shows to be new is inserted, which is much cheaper than an upsert. So is every
    `Insert`, in the hope that it is new: if one is not, the transaction fails as a whole, and is
    made again with `careful`, which looks before. Raises `WriteRefused` when a guarded update
    found nothing to update.
    """
    by_collection: dict[str, list[Write]] = defaultdict(list)
    for one in writes:
        by_collection[one.collection].append(one)
    for name, group in by_collection.items():
        new, changed = _sort(group, loaded, careful=careful)
        if careful:
            await _leave_out_present(database.raw[name], session, new)
        if new:
            documents = list(new.values())
            await database.raw[name].insert_many(documents, ordered=False, session=session)
        if changed:
            await _bulk(database.raw[name], session, changed)


def _sort(
    group: Sequence[Write], loaded: State, *, careful: bool
) -> tuple[dict[Any, Document], list[Write]]:
    """Return the new documents by id, and all other writes in order; the last of an id counts."""
    new: dict[Any, Document] = {}
    final: dict[Any, Write] = {}
    guarded: list[Write] = []
    for one in group:
        if isinstance(one, Insert):
            new.setdefault(one.document["_id"], one.document)
        elif isinstance(one, Save):
            final[one.document["_id"]] = one
        elif isinstance(one, Delete):
            final[one.document_id] = one
        else:
            guarded.append(one)
    if not careful:
        for document_id, one in list(final.items()):
            if isinstance(one, Save) and loaded.is_new(one.collection, document_id):
                new[document_id] = one.document
                del final[document_id]
    return new, [*guarded, *final.values()]


async def _leave_out_present(collection: Any, session: Any, new: dict[Any, Document]) -> None:
    """Drop the documents that are there; the snapshot makes sure nobody adds one in between."""
    if new:
        cursor = collection.find({"_id": {"$in": list(new)}}, {"_id": 1}, session=session)
        for present in await cursor.to_list(None):
            del new[present["_id"]]


async def _bulk(collection: Any, session: Any, writes: Sequence[Write]) -> None:
    operations: list[Any] = []
    for one in writes:
        if isinstance(one, Guarded):
            operations.append(UpdateOne(one.where, one.update))
        elif isinstance(one, Save):
            operations.append(ReplaceOne({"_id": one.document["_id"]}, one.document, upsert=True))
        elif isinstance(one, Delete):
            operations.append(DeleteOne({"_id": one.document_id}))
    result = await collection.bulk_write(operations, ordered=False, session=session)
    deletes = sum(isinstance(one, Delete) for one in writes)
    if result.matched_count + result.upserted_count != len(operations) - deletes:
        raise WriteRefused("guard")
