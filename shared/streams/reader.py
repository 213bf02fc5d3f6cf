"""Reading a topic from its start to its present end, outside any group: for operators and tests."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from shared.errors import Unavailable

_POLL_MS = 200
_FETCH_BYTES = 40 * 1024 * 1024  # a dead letter may be 36 MiB


async def read_topic(bootstrap: str, topic: str) -> AsyncIterator[Any]:
    """Yield every record `topic` holds now, each partition in order.

    `topic` is the name on that Kafka, prefix included. Raises `Unavailable`.
    """
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    try:
        await consumer.start()
        partitions = sorted(consumer.assignment())
        if not partitions:
            return
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                for record in (await consumer.getmany(partition, timeout_ms=_POLL_MS)).get(
                    partition, ()
                ):
                    yield record
    except (KafkaError, OSError) as error:
        raise Unavailable(
            f"Kafka does not answer ({type(error).__name__}).", "Check THROUGHLINE_KAFKA."
        ) from None
    finally:
        await _stop(consumer)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop it; without a group, aiokafka 0.14 lets its own task's cancellation escape here."""
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
