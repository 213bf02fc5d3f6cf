"""A database in memory that answers the profile's reads as MongoDB does, for fast tests.

Only what the profile service uses. The tests of `store.py` run on this and on a real MongoDB alike,
so a difference between the two shows.
"""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.mongo import Collection
from shared.streams import Effects, Find, Processor, Received, State
from shared.streams.effects import Insert, Save

Document = dict[str, Any]


class MemoryDatabase:
    """Collections in dictionaries; `watch` yields what is inserted from then on."""

    def __init__(self) -> None:
        self.collections: dict[str, dict[str, Document]] = {}
        self._watchers: list[tuple[str, asyncio.Queue[Document]]] = []
        self.watched, self.unwatched = asyncio.Event(), asyncio.Event()

    async def ensure(self, collections: Sequence[Collection]) -> None:
        """Do nothing: collections appear with their first document."""

    async def find_one(self, collection: str, where: Mapping[str, Any]) -> Document | None:
        """Return one document that matches, or None."""
        found = await self.find(collection, where, limit=1)
        return found[0] if found else None

    async def find(
        self,
        collection: str,
        where: Mapping[str, Any],
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
    ) -> list[Document]:
        """Return the documents that match, in order."""
        documents = self.collections.get(collection, {}).values()
        found = [document for document in documents if _matches(document, where)]
        for field, direction in reversed(sort):
            found.sort(key=lambda document: _order(document.get(field)), reverse=direction < 0)
        return copy.deepcopy(found[:limit] if limit else found)

    async def insert(self, collection: str, document: Document) -> bool:
        """Add a document; return False if its `_id` is taken."""
        kept = self.collections.setdefault(collection, {})
        if document["_id"] in kept:
            return False
        kept[document["_id"]] = copy.deepcopy(document)
        for watched, queue in self._watchers:
            if watched == collection:
                queue.put_nowait(copy.deepcopy(document))
        return True

    async def watch(
        self, collection: str, *, looked: Callable[[], None] = lambda: None
    ) -> AsyncIterator[Document]:
        """Yield each document as it is inserted."""
        queue: asyncio.Queue[Document] = asyncio.Queue()
        self._watchers.append((collection, queue))
        self.watched.set()
        self.unwatched.clear()
        try:
            while True:
                looked()
                yield await queue.get()
        finally:
            self._watchers.remove((collection, queue))
            self.watched.clear()
            self.unwatched.set()

    async def process(
        self, processor: Processor, incoming: Sequence[Received], now: datetime
    ) -> Effects:
        """Handle one batch as the stream layer does: load what it needs, decide, write."""
        state, asked = State(), set[Any]()
        while fresh := [
            find for find in processor.needs(incoming, state) if find.key() not in asked
        ]:
            for find in fresh:
                asked.add(find.key())
                state.add(find.collection, await self._load(find))
        effects = processor.decide(incoming, state, now)
        for write in effects.writes:
            if isinstance(write, Insert):
                await self.insert(write.collection, write.document)
            elif isinstance(write, Save):
                document = copy.deepcopy(write.document)
                self.collections.setdefault(write.collection, {})[document["_id"]] = document
            else:
                raise NotImplementedError(type(write).__name__)
        return effects

    async def _load(self, find: Find) -> list[Document]:
        return await self.find(find.collection, {"_id": {"$in": list(find.ids)}})


def _order(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)  # MongoDB sorts null first


def _matches(document: Document, where: Mapping[str, Any]) -> bool:
    return all(
        any(_matches(document, each) for each in condition)
        if field == "$or"
        else all(_holds(document.get(field), *one) for one in condition.items())
        for field, condition in where.items()
    )


def _holds(value: Any, operator: str, operand: Any) -> bool:
    if operator == "$eq":
        return bool(value == operand)
    if operator == "$ne":
        return bool(value != operand)
    if operator == "$in":
        return value in operand
    if value is None:
        return False
    return bool(
        {
            "$lt": lambda: value < operand,
            "$lte": lambda: value <= operand,
            "$gte": lambda: value >= operand,
        }[operator]()
    )
