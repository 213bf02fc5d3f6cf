"""Sending records: one batch per partition, and which of them Kafka refuses for their size."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

from shared.errors import Unavailable
from shared.events.topics import BY_NAME
from shared.streams.shards import partition_of

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)  # for the topic, for its segments


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to send: our topic's name (without the deployment's prefix), key and bytes."""

    topic: str
    key: bytes
    value: bytes


class RefusedForSize(Unavailable):
    """Kafka takes no record as large as these `records`: its topic's limit is below ours.

    All others they were sent with are acknowledged. It is permanent until somebody raises the
    limit, so who can put the records aside does; everybody else waits, as for any `Unavailable`.
    """

    def __init__(self, records: Sequence[Outgoing]) -> None:
        largest = max(records, key=lambda record: len(record.value))
        super().__init__(
            f"Kafka takes no record of {len(largest.value)} bytes on {largest.topic}.",
            f"Set max.message.bytes of the topic to {BY_NAME[largest.topic].max_message_bytes}"
            " (with its followers' and readers' fetch sizes); nothing is lost meanwhile.",
        )
        self.records = tuple(records)


@dataclass(frozen=True, slots=True)
class Given:
    """One record, and the number of the caller that waits for it."""

    record: Outgoing
    number: int


@dataclass(eq=False, slots=True)
class RecordBatch:
    """Records that go to one partition together, and Kafka's answer once it is sent."""

    builder: Any
    given: list[Given] = field(default_factory=list)
    answer: Any = None

    def append(self, one: Given) -> bool:
        """Take a record if there is room; the first always has."""
        taken = self.builder.append(timestamp=None, key=one.record.key, value=one.record.value)
        if taken is not None:
            self.given.append(one)
        return taken is not None

    @property
    def error(self) -> BaseException | None:
        """Return why Kafka did not take it; None if it did."""
        error: BaseException | None = self.answer.exception()
        return error


class Sending:
    """Sends records with a producer that has started; `prefix` is the deployment's."""

    def __init__(self, producer: Any, prefix: str) -> None:
        self._producer, self._prefix = producer, prefix

    async def answered(self, given: Sequence[Given]) -> list[RecordBatch]:
        """Send records, and those of a batch that was too large once more, each alone.

        Kafka's limit is one of batches: that of many small records says nothing about any of them.
        """
        batches = await self._send_batches(given)
        again = [b for b in batches if isinstance(b.error, _TOO_LARGE) and len(b.given) > 1]
        if not again:
            return batches
        alone = await self._send_batches([one for b in again for one in b.given], alone=True)
        return [b for b in batches if b not in again] + alone

    async def _send_batches(
        self, given: Sequence[Given], *, alone: bool = False
    ) -> list[RecordBatch]:
        """Send records in batches, or each `alone`; return them once Kafka has answered all."""
        open_batches: dict[tuple[str, int], RecordBatch] = {}
        sent: list[RecordBatch] = []

        async def dispatch(place: tuple[str, int]) -> None:
            batch = open_batches.pop(place)
            batch.builder.close()
            batch.answer = await self._producer.send_batch(
                batch.builder, place[0], partition=place[1]
            )
            sent.append(batch)

        for one in given:
            place = await self._place(one.record)
            batch = open_batches.get(place)
            if batch is not None and (alone or not batch.append(one)):
                await dispatch(place)
                batch = None
            if batch is None:
                batch = open_batches[place] = RecordBatch(self._producer.create_batch())
                batch.append(one)
        for place in list(open_batches):
            await dispatch(place)
        if sent:
            await asyncio.wait([batch.answer for batch in sent])
        return sent

    async def _place(self, record: Outgoing) -> tuple[str, int]:
        topic = f"{self._prefix}{record.topic}"
        partitions = self._producer.client.cluster.partitions_for_topic(topic)
        if not partitions:
            partitions = await self._producer.partitions_for(topic)
        return topic, partition_of(record.key, len(partitions))


def failure(failed: Sequence[RecordBatch], number: int) -> BaseException | None:
    """Return what a caller is told: that it must try again, before that some are too large."""
    for batch in failed:
        if not isinstance(batch.error, _TOO_LARGE):
            return batch.error
    refused = [one.record for batch in failed for one in batch.given if one.number == number]
    return RefusedForSize(refused) if refused else None
