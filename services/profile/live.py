"""Keeps open pages live: one change stream per process, handed out to those who read along.

The change stream is for speed only. Each reader also looks in the store every few seconds for what
the stream did not bring (`feed`), so a broken stream delays an entry and never loses it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Protocol

from services.profile import store
from services.profile.domain.timeline import Entry
from shared.errors import Unavailable
from shared.observability import UNWATCHED, Metrics, Progress

QUEUE = 200  # entries; a customer's whole busy hour, and about 1 MB for a reader that hangs
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0  # seconds; readers' own look in the store comes every 15


class Watched(Protocol):
    """The part of `shared.mongo.Database` that watching needs."""

    def watch(
        self, collection: str, *, looked: Callable[[], None] = ...
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield each document as it is inserted; raise `Unavailable` when the stream breaks.

        Calls `looked` whenever MongoDB has answered.
        """
        ...


class TooSlow(Exception):
    """A reader left more than `QUEUE` entries unread: it must connect again and catch up."""


class Subscription:
    """One reader's entries, for as long as it is entered (`with`)."""

    def __init__(self, live: "Live", members: Sequence[str]) -> None:
        self._live, self._members = live, members
        self._entries: asyncio.Queue[Entry] = asyncio.Queue(QUEUE)
        self._overflowed = False

    def __enter__(self) -> "Subscription":
        self._live.add(self, self._members)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.remove(self, self._members)

    def offer(self, entry: Entry) -> bool:
        """Take an entry, if there is room; tell whether there was."""
        if self._overflowed:
            return True
        try:
            self._entries.put_nowait(entry)
        except asyncio.QueueFull:
            self._overflowed = True
            return False
        return True

    async def next(self, seconds: float) -> Entry | None:
        """Return the next entry, or None if none comes within so many seconds."""
        if self._overflowed:
            raise TooSlow
        try:
            async with asyncio.timeout(seconds):  # `wait_for` may swallow that we are to stop
                return await self._entries.get()
        except TimeoutError:
            return None


class Live:
    """Watches the timeline and hands every new entry to the readers of its customer."""

    def __init__(self, database: Watched, first_pause: float = _FIRST_PAUSE) -> None:
        self._database, self._first_pause = database, first_pause
        self._readers: dict[str, set[Subscription]] = defaultdict(set)
        self._metrics: Metrics | None = None

    def measure(self, metrics: Metrics) -> None:
        """Count from now on in these metrics."""
        self._metrics = metrics

    async def run(self, health: Progress = UNWATCHED) -> None:
        """Watch for life; when the change stream breaks, open it again, ever less often."""
        pause, looked = self._first_pause, partial(health.tick, "timeline stream")
        while True:
            looked()
            try:
                watching = self._database.watch(store.TIMELINE, looked=looked)
                async with aclosing(watching) as documents:  # type: ignore[type-var]
                    async for document in documents:
                        pause = self._first_pause
                        self._hand_out(document)
            except Unavailable:
                self._count("change_stream_breaks_total")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def subscribe(self, members: Sequence[str]) -> Subscription:
        """Return a subscription to the entries of these customer ids; enter it to begin."""
        return Subscription(self, tuple(members))

    def add(self, reader: Subscription, members: Sequence[str]) -> None:
        """Begin to hand entries of these customer ids to a reader."""
        for member in members:
            self._readers[member].add(reader)
        self._gauge()

    def remove(self, reader: Subscription, members: Sequence[str]) -> None:
        """Stop handing entries to a reader."""
        for member in members:
            self._readers[member].discard(reader)
            if not self._readers[member]:
                del self._readers[member]
        self._gauge()

    @property
    def readers(self) -> int:
        """How many are reading along."""
        return len(set().union(*self._readers.values())) if self._readers else 0

    def _count(self, metric: str) -> None:
        if self._metrics is not None:
            self._metrics.count(metric)

    def _gauge(self) -> None:
        if self._metrics is not None:
            self._metrics.set("live_readers", self.readers)

    def _hand_out(self, document: dict[str, Any]) -> None:
        readers = self._readers.get(document["customer_id"])
        if not readers:
            return
        entry = store.entry_from(document)
        for reader in readers:
            if not reader.offer(entry):
                self._count("live_readers_dropped_total")
