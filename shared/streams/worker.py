"""Runs one processor: its batches, its timers, and the few ways either may end.

A batch ends in one of four ways: committed; tried again in place; every partition sought back to
where it stands; or the process ends. Batches and ticks take turns, so one session is enough.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from pymongo.errors import PyMongoError

from shared.clock import Clock
from shared.errors import Unavailable
from shared.mongo import Database
from shared.mongo.transactions import Transactions
from shared.observability import Health, Metrics
from shared.streams import outbox, timers
from shared.streams.crash import crash_point
from shared.streams.decoding import Undecodable, dead_letter, decode_record
from shared.streams.effects import Effects, Processor, Publish, Received, SetTimer
from shared.streams.limits import DeadLetterLimit
from shared.streams.outbox import Parcel
from shared.streams.ownership import Ownership
from shared.streams.positions import Fenced
from shared.streams.publisher import Publisher
from shared.streams.unit import Decided, DecisionFailed, Held, Unit, Units

_IDLE = 0.2  # seconds between looks at timers, stored positions and offsets to commit
_COMMIT_TIMEOUT = 5.0
_RETRY_PAUSE = 1.0
_POSTPONE = timedelta(seconds=60)  # a timer whose decision failed is tried again this much later


@dataclass(slots=True)
class _Slice:
    """The new records of one shard in a batch."""

    held: Held
    records: list[Any]


class Worker:
    """One processor in this process."""

    def __init__(
        self,
        processor: Processor,
        *,
        prefix: str,
        database: Database,
        publisher: Publisher,
        clock: Clock,
        metrics: Metrics,
        health: Health,
        log: Any,
    ) -> None:
        self.processor = processor
        self._name = processor.name
        self._database, self._publisher, self._clock = database, publisher, clock
        self._metrics, self._health, self._log = metrics, health, log
        self._transactions = Transactions(database)
        self._units = Units(processor, database, self._transactions)
        self._heap = timers.DueHeap()
        self.ownership = Ownership(
            self._name,
            prefix,
            database,
            self._transactions,
            publisher,
            self._heap,
            clock,
            metrics,
            log,
        )
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._limit = DeadLetterLimit()
        self._sent: list[Parcel] = []
        self._uncommitted: dict[TopicPartition, int] = {}
        self._swept = time.monotonic()
        self._draining = False
        self.consumer: Any = None
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    # -- what the consumer calls ----------------------------------------------------------------

    async def handle(self, records: Sequence[Any]) -> None:
        """Apply a batch of Kafka's records. Never raises: FastStream would swallow it."""
        started = time.monotonic()
        try:
            await self.ownership.settled()
            if self.ownership.failure is not None:
                raise self.ownership.failure
            async with self._turn:
                crash_point("batch-received")
                await self._handle(records)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._fail(error)
        self._metrics.observe("batch_records", len(records), processor=self._name)
        self._metrics.observe("batch_seconds", time.monotonic() - started, processor=self._name)

    async def drain(self, seconds: float) -> None:
        """Let the running batch end, settle what it left, and give all shards up."""
        try:
            async with asyncio.timeout(seconds):
                await self._turn.acquire()
        except TimeoutError:
            await self.ownership.release()  # the epoch refuses whatever still runs
            return
        try:
            with contextlib.suppress(Fenced, Unavailable, PyMongoError):
                await self._settle()
            await self._commit_offsets()
            self._uncommitted.clear()
            await self.ownership.release()
        finally:
            self._turn.release()

    async def stop(self, seconds: float) -> None:
        """Take no more work and drain."""
        self._draining = True
        await self.drain(seconds)
        await self._transactions.close()

    async def run(self) -> None:
        """Fire timers, store positions and commit offsets, for life."""
        while True:
            await self._pause()
            self._health.tick(f"{self._name} timers")
            try:
                async with self._turn:
                    await self._fire_due()
                    await self._settle()
                await self._commit_offsets()
                await self._sweep()
            except Fenced:
                self._lose()
            except (Unavailable, PyMongoError) as error:
                self._complain("timers wait for MongoDB", error)
                await asyncio.sleep(_RETRY_PAUSE)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self._fail(error)
                return

    # -- batches --------------------------------------------------------------------------------

    async def _handle(self, records: Sequence[Any]) -> None:
        if self._draining:
            return
        slices = self._slices(records)
        try:
            await self._apply(slices)
        except Fenced:
            self._lose()
        except Unavailable as error:
            self._metrics.count("transaction_failures_total", processor=self._name)
            self._complain("batch waits for MongoDB", error)
            self._seek_back(slices)
            await asyncio.sleep(_RETRY_PAUSE)

    def _slices(self, records: Sequence[Any]) -> list[_Slice]:
        """Split a batch by shard and leave out what was applied before."""
        by_partition: dict[TopicPartition, list[Any]] = {}
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            by_partition.setdefault(place, []).append(record)
        slices = []
        for partition, group in by_partition.items():
            held = self.ownership.held.get(self.ownership.shard(partition))
            if held is None:
                continue  # revoked since it was fetched: its new owner reads it again
            if skipped := sum(record.offset <= held.applied for record in group):
                self._count("records_skipped_total", held.topic, skipped)
            fresh = group[skipped:]
            if fresh and self._is_contiguous(held, fresh[0].offset):
                slices.append(_Slice(held, fresh))
        return slices

    def _is_contiguous(self, held: Held, first: int) -> bool:
        """Tell whether nothing is missing before `first`; look once more if something is.

        The same gap seen twice is real: retention or compaction took the records.
        """
        if first == held.applied + 1:
            return True
        if held.gap_seen_at != first:
            held.gap_seen_at = first
            self._seek(held)
            return False
        if held.applied >= 0:
            self._count("log_gaps_total", held.topic, 1)
            self._log.error(
                "records are missing from the topic",
                processor=self._name,
                shard=held.shard,
                expected=held.applied + 1,
                offset=first,
            )
        return True

    async def _apply(self, slices: Sequence[_Slice]) -> None:
        """Decide on all records together; if that fails, on each alone, to find the culprit."""
        received: list[Received] = []
        origins: list[tuple[Held, Any]] = []
        dead: list[Publish] = []
        outcomes: list[bool] = []
        for part in slices:
            for record in part.records:
                try:
                    one = decode_record(part.held.topic, part.held.shard, record)
                except Undecodable as error:
                    dead.append(self._bury(part.held, record, f"Undecodable: {error}"))
                    outcomes.append(True)
                else:
                    received.append(one)
                    origins.append((part.held, record))
                    outcomes.append(False)
        if not outcomes:
            return
        limit = self._limit.after(outcomes)
        offsets = {part.held.shard: part.records[-1].offset for part in slices}
        try:
            await self._commit(Unit(received=received, offsets=offsets, dead=dead))
        except DecisionFailed as failure:
            self._complain("a decision failed; each record is tried alone", failure)
            await self._apply_singly(slices)
            return
        self._limit = limit

    async def _apply_singly(self, slices: Sequence[_Slice]) -> None:
        for part in slices:
            for record in part.records:
                unit = Unit(offsets={part.held.shard: record.offset})
                try:
                    unit.received = [decode_record(part.held.topic, part.held.shard, record)]
                    await self._commit(unit)
                except (Undecodable, DecisionFailed) as failure:
                    limit = self._limit.after([True])
                    unit.received = ()
                    unit.dead = [self._bury(part.held, record, _reason(failure))]
                    await self._commit(unit)
                    self._limit = limit
                else:
                    self._limit = self._limit.after([False])

    def _bury(self, held: Held, record: Any, error: str) -> Publish:
        self._count("dead_letters_total", held.topic, 1)
        self._log.error(
            "dead letter",
            processor=self._name,
            shard=held.shard,
            offset=record.offset,
            reason=error,
        )
        letter = dead_letter(
            record,
            topic=held.topic,
            shard=held.shard,
            group=self._name,
            error=error,
            now=self._clock.now(),
        )
        return Publish(letter, held.shard)

    async def _commit(self, unit: Unit) -> None:
        """Decide, store, publish. A unit that changes nothing only moves on in memory."""
        now = self._clock.now()
        effects = None if unit.dead else self._units.decide_without_state(unit, now)
        if effects is not None and not (effects.writes or effects.publishes or effects.timers):
            self._note(unit, Decided(effects), stored=False)
            return
        unit.sent = tuple(self._sent)
        decided = await self._units.apply(unit, self.ownership.held, now, effects)
        crash_point(f"{unit.label}committed")
        del self._sent[: len(unit.sent)]
        self._note(unit, decided, stored=True)
        await self._publish(decided.parcels)
        crash_point(f"{unit.label}published")
        self._sent += decided.parcels

    def _note(self, unit: Unit, decided: Decided, *, stored: bool) -> None:
        """Remember what a unit did, once it is certain."""
        for shard, offset in unit.offsets.items():
            held = self.ownership.held[shard]
            self._count("records_handled_total", held.topic, offset - held.applied)
            held.applied = offset
            if stored:
                held.stored = offset
            self._uncommitted[self.ownership.partition(held)] = offset + 1
        for shard in unit.ticks:
            if shard not in unit.offsets:
                self.ownership.held[shard].ticks += 1
        for count in decided.effects.counts:
            self._metrics.count(count.metric, count.amount, **dict(count.labels))
        self._expect(decided.effects)
        now = self._clock.now()
        if unit.received:
            age = (now - unit.received[0].event.time).total_seconds()
            self._metrics.observe("event_age_seconds", max(0.0, age), processor=self._name)
        for timer in decided.fired:
            late = max(0.0, (now - timer.due_at).total_seconds())
            self._metrics.observe("timer_lateness_seconds", late, processor=self._name)

    def _expect(self, effects: Effects) -> None:
        horizon = self._clock.now() + timers.HORIZON
        for change in effects.timers:
            self._heap.drop(change.timer_id)
            if isinstance(change, SetTimer) and change.due_at <= horizon:
                self._heap.put(change.timer_id, change.due_at, change.shard)
                self._wake.set()

    async def _publish(self, parcels: Sequence[Parcel]) -> None:
        """Publish until Kafka has it: the next batch must not overtake this one."""
        records = [record for parcel in parcels for record in parcel.records]
        if not records:
            return
        while True:
            try:
                await self._publisher.send(records)
            except Unavailable as error:
                self._metrics.count("publish_failures_total")
                self._metrics.set(
                    "outbox_oldest_pending_seconds",
                    outbox.oldest_age(parcels, self._clock.now()),
                    processor=self._name,
                )
                self._complain("decided events wait for Kafka", error)
                self._health.tick(f"{self._name} consumer")
                if self._draining or not self.ownership.held:
                    raise  # they stay in the outbox; whoever owns the shard next sends them
            else:
                break
        self._metrics.set("outbox_oldest_pending_seconds", 0, processor=self._name)
        for record in records:
            self._metrics.count("published_events_total", processor=self._name, topic=record.topic)

    # -- timers and housekeeping ----------------------------------------------------------------

    async def _pause(self) -> None:
        due = self._heap.next_due()
        seconds = _IDLE
        if due is not None:
            seconds = min(_IDLE, max(0.0, (due - self._clock.now()).total_seconds()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def _fire_due(self) -> None:
        popped = self._heap.pop_due(self._clock.now())
        mine = [(timer, shard) for timer, shard in popped if shard in self.ownership.held]
        if not mine:
            return
        crash_point("tick-received")
        try:
            await self._fire(mine)
        except DecisionFailed as failure:
            self._complain("a timer's decision failed; each is tried alone", failure)
            for one in mine:
                await self._fire_alone(one)
        except BaseException:
            for timer, shard in mine:
                self._heap.put(timer, self._clock.now(), shard)
            raise

    async def _fire(self, due: Sequence[tuple[str, str]]) -> None:
        await self._commit(
            Unit(
                timer_ids=[timer for timer, _ in due],
                ticks=frozenset(shard for _, shard in due),
                label="tick-",
            )
        )

    async def _fire_alone(self, one: tuple[str, str]) -> None:
        try:
            await self._fire([one])
        except DecisionFailed as failure:
            self._metrics.count("timers_failed_total", processor=self._name)
            self._complain("a timer's decision failed; it is postponed", failure)
            until = self._clock.now() + _POSTPONE
            await timers.postpone(self._database, [one[0]], until)
            self._heap.put(one[0], until, one[1])

    async def _settle(self) -> None:
        """Store positions that ran ahead, and forget parcels that Kafka has."""
        ahead = {
            held.shard: held.applied
            for held in self.ownership.held.values()
            if held.applied > held.stored
        }
        if ahead:
            unit = Unit(offsets=ahead, sent=tuple(self._sent))
            await self._units.apply(unit, self.ownership.held, self._clock.now(), Effects())
            for shard, offset in ahead.items():
                self.ownership.held[shard].stored = offset
            del self._sent[: len(unit.sent)]
        if self._sent:
            sent = list(self._sent)
            await outbox.delete(self._database, sent)
            del self._sent[: len(sent)]
            crash_point("outbox-deleted")
            crash_point("tick-outbox-deleted")

    async def _sweep(self) -> None:
        if time.monotonic() - self._swept < timers.SWEEP_EVERY or not self.ownership.held:
            return
        self._swept = time.monotonic()
        found = await timers.sweep(self._database, list(self.ownership.held), self._clock.now())
        for timer in found:
            self._heap.put(*timer)

    async def _commit_offsets(self) -> None:
        """Tell Kafka how far we are; only lag metrics and restarts care."""
        if not self._uncommitted or self.consumer is None:
            return
        offsets, self._uncommitted = self._uncommitted, {}
        try:
            async with asyncio.timeout(_COMMIT_TIMEOUT):
                await self.consumer.commit(offsets)
        except (KafkaError, TimeoutError, IllegalStateError):
            self._metrics.count("commit_failures_total", processor=self._name)
        crash_point("offsets-committed")

    # -- endings --------------------------------------------------------------------------------

    def _lose(self) -> None:
        self._metrics.count("fenced_writes_total", processor=self._name)
        self._log.warning("fenced: another process owns a partition now", processor=self._name)
        self._sent.clear()
        self._uncommitted.clear()
        self.ownership.lost(self.consumer)

    def _seek_back(self, slices: Sequence[_Slice]) -> None:
        for part in slices:
            self._seek(part.held)

    def _seek(self, held: Held) -> None:
        with contextlib.suppress(IllegalStateError):
            self.consumer.seek(self.ownership.partition(held), held.applied + 1)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(error)

    def _count(self, metric: str, topic: str, amount: float) -> None:
        self._metrics.count(metric, amount, processor=self._name, topic=topic)

    def _complain(self, what: str, error: BaseException) -> None:
        self._log.warning(
            what, processor=self._name, error=type(error).__name__, reason=_reason(error)
        )


def _reason(failure: BaseException) -> str:
    if isinstance(failure, DecisionFailed):
        return failure.reason
    if isinstance(failure, Undecodable):
        return f"Undecodable: {failure}"
    return type(failure).__name__
