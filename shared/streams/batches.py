"""From a batch of Kafka's records to units: what is new, what it says, who is to blame."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError

from shared.events import Event, OpaqueEvent, Undecodable, decode
from shared.streams.burial import dead_letter
from shared.streams.committer import Committer
from shared.streams.effects import Publish, Received
from shared.streams.foreign import Decode, ForeignRecord, Refused, foreign_record
from shared.streams.limits import DeadLetterLimit, NoLimit
from shared.streams.ownership import Ownership
from shared.streams.scope import Scope
from shared.streams.unit import DecisionFailed, Held, Unit, describe

_PARTITION = attrgetter("topic", "partition")


@dataclass(slots=True)
class Slice:
    """The new records of one shard in a batch."""

    held: Held
    records: list[Any]


class Batches:
    """Applies batches under a limit on dead letters."""

    def __init__(
        self,
        scope: Scope,
        committer: Committer,
        ownership: Ownership,
        foreign: Decode | None = None,
    ) -> None:
        self._scope, self._committer, self._ownership = scope, committer, ownership
        self._foreign = foreign
        self._limit = DeadLetterLimit() if scope.limit_dead_letters else NoLimit()
        self.consumer: Any = None

    def slices(self, records: Sequence[Any]) -> list[Slice]:
        """Split a batch by shard and leave out what was applied before."""
        slices = []
        for (topic, number), run in groupby(records, _PARTITION):
            shard = self._ownership.shard(TopicPartition(topic, number))
            held = self._ownership.held.get(shard)
            if held is None:
                continue  # revoked since it was fetched: its new owner reads it again
            group = list(run)  # one run per partition: that is how FastStream merges them
            fresh = group
            if group[0].offset <= held.applied:
                fresh = [record for record in group if record.offset > held.applied]
                skipped = len(group) - len(fresh)
                self._scope.count("records_skipped_total", held.topic, skipped)
            if fresh and self._is_contiguous(held, fresh[0].offset):
                slices.append(Slice(held, fresh))
        return slices

    def _is_contiguous(self, held: Held, first: int) -> bool:
        """Tell whether nothing is missing before `first`; look once more if something is.

        The same gap seen twice is real: retention or compaction took the records. On a topic that
        others write to it is mostly the mark that ends a transaction of theirs.
        """
        if first == held.applied + 1:
            return True
        if held.gap_seen_at != first:
            held.gap_seen_at = first
            self._seek(held)
            return False
        if held.applied >= 0 and self._foreign is None:
            self._scope.count("log_gaps_total", held.topic)
            self._scope.log.error(
                "records are missing from the topic",
                processor=self._scope.name,
                shard=held.shard,
                expected=held.applied + 1,
                offset=first,
            )
        return True

    async def apply(self, slices: Sequence[Slice]) -> None:
        """Decide on all records together; if that fails, on each alone, to find the culprit."""
        if not slices:
            return
        received: list[Received] = []
        dead: list[Publish] = []
        outcomes: list[bool] = []
        for part in slices:
            for record in part.records:
                try:
                    received += self._decode(part.held, record)
                    outcomes.append(False)
                except (Undecodable, Refused) as error:
                    dead.append(self._bury(part.held, record, _reason(error)))
                    outcomes.append(isinstance(error, Undecodable))
        limit = self._limit.after(outcomes)
        held = {part.held.shard: part.held for part in slices}
        offsets = {part.held.shard: part.records[-1].offset for part in slices}
        try:
            await self._committer.commit(Unit(held, received, offsets=offsets, dead=dead))
        except DecisionFailed as failure:
            self._scope.complain("each record is decided alone", failure, failure.reason)
            await self._apply_singly(slices)
        else:
            self._limit = limit
            self._count_dead(slices, dead)

    async def _apply_singly(self, slices: Sequence[Slice]) -> None:
        for part in slices:
            for record in part.records:
                unit = _unit(part, record)
                try:
                    unit.received = self._decode(part.held, record)
                    await self._committer.commit(unit)
                    self._limit = self._limit.after([False])
                except (Undecodable, Refused, DecisionFailed) as failure:
                    await self._give_up(part, record, failure)

    async def _give_up(self, part: Slice, record: Any, failure: Exception) -> None:
        limit = self._limit.after([not isinstance(failure, Refused)])
        unit = _unit(part, record)
        unit.dead = [self._bury(part.held, record, _reason(failure))]
        await self._committer.commit(unit)
        self._limit = limit
        self._count_dead([part], unit.dead)

    def _decode(self, held: Held, record: Any) -> list[Received]:
        if self._foreign is not None:
            events = _decode_foreign(self._foreign, foreign_record(record, self._scope.clock.now()))
            return [Received(event, held.shard) for event in events]
        event = decode(held.topic, record.value)
        if isinstance(event, OpaqueEvent):
            self._scope.metrics.count("opaque_events_total", processor=self._scope.name)
        return [Received(event, held.shard)]

    def _bury(self, held: Held, record: Any, error: str) -> Publish:
        letter = dead_letter(
            record,
            topic=held.topic,
            group=self._scope.name,
            error=error,
            now=self._scope.clock.now(),
        )
        return Publish(letter, held.shard)

    def _count_dead(self, slices: Sequence[Slice], dead: Sequence[Publish]) -> None:
        topics = {part.held.shard: part.held.topic for part in slices}
        for publish in dead:
            self._scope.count("dead_letters_total", topics[publish.shard])
            self._scope.log.error(
                "dead letter",
                processor=self._scope.name,
                shard=publish.shard,
                event_id=publish.event.id,
            )

    def seek_back(self, slices: Sequence[Slice]) -> None:
        """Read again from where each shard stands."""
        for part in slices:
            self._seek(part.held)

    def _seek(self, held: Held) -> None:
        with contextlib.suppress(IllegalStateError):  # revoked meanwhile
            self.consumer.seek(self._ownership.partition(held), held.applied + 1)


def _unit(part: Slice, record: Any) -> Unit:
    """Return a unit that does nothing yet but move on to this record."""
    return Unit({part.held.shard: part.held}, offsets={part.held.shard: record.offset})


def _decode_foreign(decode: Decode, record: ForeignRecord) -> Sequence[Event]:
    """Decode; a mistake of the service's own code is no refusal, but must not end us either."""
    try:
        return decode(record)
    except Refused:
        raise
    except Exception as error:
        raise Undecodable(describe(error)) from error


def _reason(failure: Exception) -> str:
    return (
        failure.reason
        if isinstance(failure, DecisionFailed)
        else f"{type(failure).__name__}: {failure}"
    )
