"""Health that tells the truth: alive means making progress, ready means able to take work.

Liveness is the ticks of every loop that runs for life and the event loop's punctuality. Readiness
is MongoDB answering and not draining; it never depends on Kafka, or a broker's restart would take
every door away at the very moment customers still knock.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from shared.errors import Unavailable

STALLED_AFTER = 120.0  # seconds: a batch and a tick may each use up their 30 s for MongoDB
LOOP_LAG_LIMIT = 5.0  # seconds: no single step of ours may block that long
_PING_EVERY = 1.0


class Progress(Protocol):
    """Where a loop that runs for life tells that it gets on; `Health` is one.

    A loop ticks at least every half minute, whether there is work or not, and never while it waits
    for a single step: from its first tick on, silence for `STALLED_AFTER` ends the process.
    """

    def tick(self, loop: str) -> None:
        """Note that a loop made progress now."""
        ...


class Unwatched:
    """A `Progress` that nobody looks at, for loops outside of a service."""

    def tick(self, loop: str) -> None:
        """Forget it."""


UNWATCHED = Unwatched()


class Health:
    """What one process knows about itself."""

    def __init__(self, ping: Callable[[], Awaitable[None]] | None) -> None:
        self._ping = ping
        self._ticks: dict[str, float] = {}
        self._last_ping = float("-inf")
        self._loop_lag = 0.0
        self.started = False
        self.draining = False

    def tick(self, loop: str) -> None:
        """Note that a loop made progress now."""
        self._ticks[loop] = time.monotonic()

    def forget(self, loop: str) -> None:
        """Stop expecting progress of a loop that ended in good order."""
        self._ticks.pop(loop, None)

    async def watch(self) -> None:
        """Measure the event loop's lag and MongoDB's answer, once a second, for life."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(_PING_EVERY)
            self._loop_lag = time.monotonic() - before - _PING_EVERY
            if self._ping is None:
                continue
            try:
                async with asyncio.timeout(5.0):
                    await self._ping()
            except (Unavailable, TimeoutError):
                continue
            self._last_ping = time.monotonic()

    def why_not_live(self) -> str | None:
        """Return what is stuck, or None."""
        if self._loop_lag > LOOP_LAG_LIMIT:
            return "the event loop was blocked"
        now = time.monotonic()
        for loop, tick in self._ticks.items():
            if now - tick > STALLED_AFTER:
                return f"{loop} makes no progress"
        return None

    def why_not_ready(self) -> str | None:
        """Return why no work should be sent here, or None."""
        if not self.started:
            return "starting"
        if self.draining:
            return "draining"
        if self._ping is not None and time.monotonic() - self._last_ping > 3 * _PING_EVERY:
            return "MongoDB does not answer"
        return None
