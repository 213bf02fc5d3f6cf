"""Commits units one after another: the transaction, then Kafka's acknowledgement, then on.

What must survive is in MongoDB before anything is published; what is kept here (positions that
ran ahead, parcels to forget, offsets to commit) may be lost at any moment without harm.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from shared.errors import Unavailable
from shared.mongo import Database
from shared.streams import outbox, timers
from shared.streams.crash import crash_point
from shared.streams.effects import Effects, SetTimer
from shared.streams.outbox import Parcel
from shared.streams.ownership import Ownership
from shared.streams.positions import Fenced
from shared.streams.publisher import Publisher
from shared.streams.scope import Scope
from shared.streams.sending import RefusedForSize
from shared.streams.unit import Decided, Unit, Units

_COMMIT_EVERY = 1.0  # seconds; they matter for lag metrics and restarts only
# Deleting what was sent, and storing positions that ran ahead, cost a command or a commit of their
# own; left alone for a second, only a crash would publish or decide it again, with the same ids.
_SETTLE_EVERY = 1.0  # seconds
_REFUSED_PAUSE = 1.0  # seconds between tries at what Kafka refuses; else a thousand a second
_COMMIT_TIMEOUT = 5.0  # seconds; aiokafka itself would retry for ever


class Committer:
    """Applies units and remembers what is left to tidy up after them."""

    def __init__(
        self,
        scope: Scope,
        database: Database,
        units: Units,
        publisher: Publisher,
        ownership: Ownership,
        heap: timers.DueHeap,
        timers_changed: Callable[[], None],
    ) -> None:
        self._scope, self._database, self._units = scope, database, units
        self._publisher, self._ownership, self._heap = publisher, ownership, heap
        self._timers_changed = timers_changed
        self._sent: list[str] = []
        self._uncommitted: dict[TopicPartition, int] = {}
        self._publishing: asyncio.Task[None] | None = None
        self._offsets_committed = self._settled = 0.0
        self._tenure = 0
        self.draining = False

    async def commit(self, unit: Unit) -> None:
        """Decide, store, publish. A unit that changes nothing only moves on in memory."""
        now = self._scope.clock.now()
        first = self._units.look(unit, now)
        if first.changes_nothing:
            self._note(unit, Decided(first.effects or Effects()), stored=False)
            return
        tenure = self._tenure
        decided = await self._units.apply(unit, now, first)
        crash_point(f"{unit.label}committed")
        self._require(tenure)
        self._note(unit, decided, stored=True)
        await self.published()
        self._require(tenure)
        self._publishing = asyncio.create_task(self._publish(decided.parcels, unit.label))

    def _require(self, tenure: int) -> None:
        """Raise `Fenced` if everything was given up meanwhile, because draining took too long.

        What was committed is in the outbox, and whoever claims the shards next publishes it there
        in order; publishing it here would overtake what was given up before it.
        """
        if tenure != self._tenure:
            raise Fenced

    async def published(self) -> None:
        """Return when what was decided so far is with Kafka.

        While Kafka acknowledges one unit the next may be decided and stored, but not published.
        Raises `Unavailable` when publishing was given up; then the outbox has it.
        """
        publishing, self._publishing = self._publishing, None
        if publishing is not None:
            await publishing

    def _note(self, unit: Unit, decided: Decided, *, stored: bool) -> None:
        """Remember what a unit did, once it is certain."""
        for shard, offset in unit.offsets.items():
            held = unit.held[shard]
            self._scope.count("records_handled_total", held.topic, offset - held.applied)
            held.applied = offset
            if stored:
                held.stored = offset
            self._uncommitted[self._ownership.partition(held)] = offset + 1
        for shard in unit.ticks - unit.offsets.keys():
            unit.held[shard].ticks += 1
        self._expect(decided.effects)
        self._measure(unit, decided)

    def _expect(self, effects: Effects) -> None:
        horizon = self._scope.clock.now() + timers.HORIZON
        for change in effects.timers:
            self._heap.drop(change.timer_id)
            if isinstance(change, SetTimer) and change.due_at <= horizon:
                self._heap.put(change.timer_id, change.due_at, change.shard)
                self._timers_changed()

    def _measure(self, unit: Unit, decided: Decided) -> None:
        metrics, name, now = self._scope.metrics, self._scope.name, self._scope.clock.now()
        metrics.count("refused_writes_total", self._units.take_refused(), processor=name)
        counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        for count in decided.effects.counts:
            counts[count.metric, count.labels] += count.amount  # type: ignore[assignment]
        for (metric, labels), amount in counts.items():
            metrics.count(metric, amount, **dict(labels))
        if unit.received:
            age = (now - unit.received[0].event.time).total_seconds()
            metrics.observe("event_age_seconds", max(0.0, age), processor=name)
        for timer in decided.fired:
            late = (now - timer.due_at).total_seconds()
            metrics.observe("timer_lateness_seconds", max(0.0, late), processor=name)

    async def _publish(self, parcels: Sequence[Parcel], label: str) -> None:
        """Publish until Kafka has it: the next unit must not overtake this one."""
        records = [record for parcel in parcels for record in parcel.records]
        if not records:
            return
        while True:
            try:
                await self._publisher.send(records)
            except Unavailable as error:
                self._say_pending(parcels, error)
                if self.draining or not self._ownership.held:
                    raise  # they stay in the outbox; whoever owns the shard next sends them
                if isinstance(error, RefusedForSize):  # at once, and it would be so again
                    await asyncio.sleep(_REFUSED_PAUSE)
            else:
                break
        metrics, name = self._scope.metrics, self._scope.name
        metrics.set("outbox_oldest_pending_seconds", 0, processor=name)
        for topic, number in Counter(record.topic for record in records).items():
            metrics.count("published_events_total", number, processor=name, topic=topic)
        crash_point(f"{label}published")
        self._sent += [parcel.parcel_id for parcel in parcels]

    def _say_pending(self, parcels: Sequence[Parcel], error: Unavailable) -> None:
        age = outbox.oldest_age(parcels, self._scope.clock.now())
        self._scope.metrics.count("publish_failures_total")
        self._scope.metrics.set("outbox_oldest_pending_seconds", age, processor=self._scope.name)
        self._scope.complain("decided events wait for Kafka", error, error.problem)

    async def settle(self, *, now: bool = False) -> None:
        """Store positions that ran ahead, and forget parcels that Kafka has."""
        if time.monotonic() - self._settled < _SETTLE_EVERY and not now:
            return
        self._settled = time.monotonic()
        await self.published()
        held = dict(self._ownership.held)
        ahead = {one.shard: one.applied for one in held.values() if one.applied > one.stored}
        if ahead:
            await self._units.apply(Unit(held, offsets=ahead), self._scope.clock.now())
            for shard, offset in ahead.items():
                held[shard].stored = offset
        if self._sent:
            sent = list(self._sent)
            await outbox.delete(self._database, sent)
            del self._sent[: len(sent)]
            crash_point("outbox-deleted")
            crash_point("tick-outbox-deleted")

    async def commit_offsets(self, consumer: Any, *, now: bool = False) -> None:
        """Tell Kafka how far we are; only lag metrics and restarts care."""
        since = time.monotonic() - self._offsets_committed
        if not self._uncommitted or consumer is None or (since < _COMMIT_EVERY and not now):
            return
        self._offsets_committed = time.monotonic()
        offsets, self._uncommitted = self._uncommitted, {}
        try:
            async with asyncio.timeout(_COMMIT_TIMEOUT):
                await consumer.commit(offsets)
        except (KafkaError, TimeoutError, IllegalStateError) as error:
            self._scope.metrics.count("commit_failures_total", processor=self._scope.name)
            if not isinstance(error, (CommitFailedError, IllegalStateError)):  # not ours any more
                self._uncommitted = offsets | self._uncommitted
        crash_point("offsets-committed")

    def forget(self) -> None:
        """Drop everything in memory; the next owner has it from MongoDB."""
        self._tenure += 1
        if self._publishing is not None:
            self._publishing.cancel()
            self._publishing = None
        self._sent.clear()
        self._uncommitted.clear()
