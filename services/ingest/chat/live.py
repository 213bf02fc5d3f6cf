"""Wakes the sockets of a session when something was said in it, whichever process wrote it.

One change stream per process. It only says "look": what there is to send is read from the history,
so a broken stream delays and never loses, and nothing is kept here for a reader that is slow.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from functools import partial
from typing import Any, Protocol

from services.ingest.chat.store import CHAT_MESSAGES
from services.ingest.metrics import Meter
from shared.errors import Unavailable
from shared.observability import UNWATCHED, Progress

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0  # seconds, for a MongoDB that is away


class Watched(Protocol):
    """The part of `shared.mongo.Database` that watching needs."""

    def watch(
        self,
        collection: str,
        opened: Callable[[], None] = ...,
        looked: Callable[[], None] = ...,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield each document as it is inserted; raise `Unavailable` when the stream breaks.

        Calls `opened` when nothing can be missed any more, `looked` whenever MongoDB has answered.
        """
        ...


class ChatLive:
    """Watches the histories."""

    def __init__(self, database: Watched, meter: Meter, first_pause: float = _FIRST_PAUSE) -> None:
        self._database, self._meter, self._first_pause = database, meter, first_pause
        self._listeners: dict[str, set[Callable[[], None]]] = defaultdict(set)

    @contextmanager
    def listen(self, session: str, look: Callable[[], None]) -> Iterator[None]:
        """Call `look` whenever there may be something new in a session, while the block runs."""
        self._listeners[session].add(look)
        try:
            yield
        finally:
            self._listeners[session].discard(look)
            if not self._listeners[session]:
                del self._listeners[session]

    async def run(self, health: Progress = UNWATCHED) -> None:
        """Watch for life; when the change stream breaks, open it again, ever less often."""
        pause, looked = self._first_pause, partial(health.tick, "chat stream")
        while True:
            looked()
            try:
                watching = self._database.watch(CHAT_MESSAGES, self._wake_all, looked)
                async with aclosing(watching) as documents:  # type: ignore[type-var]
                    async for document in documents:
                        pause = self._first_pause
                        for look in self._listeners.get(document["session"], ()):
                            look()
            except Unavailable:
                self._meter.count("chat_stream_breaks_total")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _wake_all(self) -> None:
        """Have every socket look for what was written while nobody watched."""
        for looks in self._listeners.values():
            for look in looks:
                look()
