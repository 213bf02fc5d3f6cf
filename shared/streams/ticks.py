"""Firing timers when they are due, through the same units as records."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from shared.mongo import Database
from shared.streams import timers
from shared.streams.committer import Committer
from shared.streams.crash import crash_point
from shared.streams.ownership import Ownership
from shared.streams.scope import Scope
from shared.streams.unit import DecisionFailed, Held, Unit

_IDLE = 0.2  # seconds between looks at timers, stored positions and offsets to commit
_POSTPONE = timedelta(seconds=60)  # a timer whose decision failed is tried again this much later


class Ticks:
    """Waits for the earliest timer and fires what is due."""

    def __init__(
        self,
        scope: Scope,
        database: Database,
        committer: Committer,
        ownership: Ownership,
        heap: timers.DueHeap,
        wake: asyncio.Event,
    ) -> None:
        self._scope, self._database, self._committer = scope, database, committer
        self._ownership, self._heap, self._wake = ownership, heap, wake
        self._swept = time.monotonic()

    async def pause(self) -> None:
        """Wait until a timer is due, an earlier one was set, or it is time to look around."""
        due = self._heap.next_due()
        seconds = _IDLE
        if due is not None:
            seconds = min(_IDLE, max(0.0, (due - self._scope.clock.now()).total_seconds()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def fire_due(self) -> None:
        """Fire what is due, together; if a decision fails, each alone."""
        held = dict(self._ownership.held)
        popped = self._heap.pop_due(self._scope.clock.now())
        due = [(timer, shard) for timer, shard in popped if shard in held]
        if not due:
            return
        crash_point("tick-received")
        try:
            await self._fire(held, due)
        except DecisionFailed as failure:
            self._scope.complain("each timer is decided alone", failure, failure.reason)
            for timer, shard in due:
                await self._fire_alone(held, timer, shard)
        except BaseException:
            for timer, shard in due:
                self._heap.put(timer, self._scope.clock.now(), shard)
            raise

    async def _fire(self, held: Mapping[str, Held], due: Sequence[tuple[str, str]]) -> None:
        await self._committer.commit(
            Unit(
                held,
                timer_ids=[timer for timer, _ in due],
                ticks=frozenset(shard for _, shard in due),
                label="tick-",
            )
        )

    async def _fire_alone(self, held: Mapping[str, Held], timer: str, shard: str) -> None:
        try:
            await self._fire(held, [(timer, shard)])
        except DecisionFailed as failure:
            self._scope.metrics.count("timers_failed_total", processor=self._scope.name)
            self._scope.complain("a timer is postponed", failure, failure.reason)
            until = self._scope.clock.now() + _POSTPONE
            await timers.postpone(self._database, [timer], until)
            self._heap.put(timer, until, shard)

    async def sweep(self) -> None:
        """Find due timers that the heap has lost, and those that come within the horizon."""
        if time.monotonic() - self._swept < timers.SWEEP_EVERY or not self._ownership.held:
            return
        self._swept = time.monotonic()
        shards = list(self._ownership.held)
        for timer in await timers.sweep(self._database, shards, self._scope.clock.now()):
            self._heap.put(*timer)
