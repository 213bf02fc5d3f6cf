"""Runs one processor: its batches and its timers, in turns, and the few ways either may end.

A batch ends in one of four ways: committed; tried again in place; every partition sought back to
where it stands; or the process ends. Batches and ticks take turns, so one session is enough.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

from pymongo.errors import PyMongoError

from shared.errors import Unavailable
from shared.mongo import Database
from shared.mongo.transactions import Transactions
from shared.streams.batches import Batches, Slice
from shared.streams.committer import Committer
from shared.streams.crash import crash_point
from shared.streams.effects import Processor
from shared.streams.ownership import Ownership
from shared.streams.pacing import Pacing
from shared.streams.positions import Fenced
from shared.streams.publisher import Publisher
from shared.streams.scope import Scope
from shared.streams.ticks import Ticks
from shared.streams.timers import DueHeap
from shared.streams.unit import Units

_RETRY_PAUSE = 1.0  # seconds
_SMALL = 100  # records
_CLOSE_TIMEOUT = 2.0  # seconds; a session that MongoDB does not answer for ends by itself


class Worker:
    """One processor in this process."""

    def __init__(
        self, processor: Processor, scope: Scope, database: Database, publisher: Publisher
    ) -> None:
        self.processor, self.scope = processor, scope
        self._transactions = Transactions(database, alive=scope.alive)
        heap, wake = DueHeap(), asyncio.Event()
        self.ownership = Ownership(scope, database, self._transactions, publisher, heap)
        self._committer = Committer(
            scope,
            database,
            Units(processor, database, self._transactions, publisher.outgoing),
            publisher,
            self.ownership,
            heap,
            wake.set,
        )
        self._batches = Batches(scope, self._committer, self.ownership, processor.decode)
        self._ticks = Ticks(scope, database, self._committer, self.ownership, heap, wake)
        self._turn = asyncio.Lock()
        self._draining = False
        self._pacing = Pacing(processor.pace)
        self._consumer: Any = None
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def attach(self, consumer: Any) -> None:
        """Take the Kafka consumer whose records and assignments come in from now on."""
        self._consumer = self._batches.consumer = consumer

    def assigned(self, partitions: Any) -> None:
        """Start taking over what Kafka assigned; never waits."""
        self.ownership.assigned(partitions, self._consumer)

    async def handle(self, records: Sequence[Any]) -> None:
        """Apply a batch of Kafka's records. Never raises: FastStream would swallow it."""
        started = time.monotonic()
        try:
            await self.ownership.settled()
            if self.ownership.failure is not None:
                raise self.ownership.failure
            async with self._turn:
                if not self._draining:
                    crash_point("batch-received")
                    await self._handle(records)
            self._measure(len(records), started)
            await self._pace(len(records), started)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.fail(error)

    def _measure(self, records: int, started: float) -> None:
        metrics, name = self.scope.metrics, self.scope.name
        metrics.observe("batch_records", records, processor=name)
        metrics.observe("batch_seconds", time.monotonic() - started, processor=name)

    async def _pace(self, records: int, started: float) -> None:
        """Leave what comes in now to the next batch, if this one was small and nothing waits."""
        if records < _SMALL:
            pause = self._pacing.pause_after(started, time.monotonic())
            if pause > 0 and not self._is_behind():
                await asyncio.sleep(pause)

    def _is_behind(self) -> bool:
        """Tell whether more than a small batch waits on Kafka, as far as the last fetch told."""
        waiting = 0
        for held in self.ownership.held.values():
            end = self._consumer.highwater(self.ownership.partition(held))
            waiting += max(0, (end or 0) - held.applied - 1)
        return waiting > _SMALL

    async def _handle(self, records: Sequence[Any]) -> None:
        slices: list[Slice] = []
        try:
            slices = self._batches.slices(records)
            await self._batches.apply(slices)
        except Fenced:
            self._lose()
        except Unavailable as error:
            self.scope.metrics.count("transaction_failures_total", processor=self.scope.name)
            self.scope.complain("a batch waits", error, error.problem)
            self._batches.seek_back(slices)
            await asyncio.sleep(_RETRY_PAUSE)

    async def run(self) -> None:
        """Fire timers, store positions and commit offsets, for life."""
        while True:
            await self._ticks.pause()
            self.scope.health.tick(f"{self.scope.name} timers")
            try:
                if self.ownership.failure is not None:
                    raise self.ownership.failure  # without records nobody else would notice
                await self._tick()
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self.fail(error)
                return

    async def _tick(self) -> None:
        try:
            async with self._turn:
                await self._ticks.fire_due()
                await self._committer.settle()
            await self._committer.commit_offsets(self._consumer)
            await self._ticks.sweep()
        except Fenced:
            self._lose()
        except (Unavailable, PyMongoError) as error:
            self.scope.complain("timers wait", error)
            await asyncio.sleep(_RETRY_PAUSE)

    async def drain(self, seconds: float) -> None:
        """Let the running batch end, settle what it left, and give all shards up.

        What cannot be settled in time is left to the successor: the epoch refuses whatever still
        runs here, and MongoDB has everything that was decided.
        """
        with contextlib.suppress(TimeoutError, Fenced, Unavailable, PyMongoError):
            async with asyncio.timeout(seconds), self._turn:
                await self._committer.settle(now=True)
        await self._committer.commit_offsets(self._consumer, now=True)
        self._committer.forget()
        await self.ownership.release()

    async def stop(self, seconds: float) -> None:
        """Take no more work and drain."""
        self._draining = self._committer.draining = True
        await self.drain(seconds)
        with contextlib.suppress(TimeoutError, PyMongoError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._transactions.close()

    def _lose(self) -> None:
        self.scope.metrics.count("fenced_writes_total", processor=self.scope.name)
        self.scope.log.warning(
            "fenced: a partition is not as this process left it", processor=self.scope.name
        )
        self._committer.forget()
        if not self._draining:
            self.ownership.lost(self._consumer)

    def fail(self, error: BaseException) -> None:
        """End the process because of this; the first reason counts."""
        if not self.failed.done():
            self.failed.set_result(error)
