"""What tests do with Kafka themselves: publish bytes, and read a topic from its start."""

from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shared.events import Event, decode, encode
from shared.events.topics import HOME
from shared.streams.reader import read_topic


async def publish(bootstrap: str, prefix: str, events: Iterable[Event]) -> None:
    """Publish events to their home topics, in order."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        for event in events:
            topic = f"{prefix}{HOME[event.type].name}"
            await producer.send(topic, encode(event), key=event.partitionkey.encode())
        await producer.flush()
    finally:
        await producer.stop()


async def publish_raw(
    bootstrap: str,
    topic: str,
    values: Sequence[bytes | None],
    *,
    key: bytes = b"k",
    headers: Sequence[tuple[str, bytes | None]] = (),
    partition: int | None = None,
) -> None:
    """Publish any bytes."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(
                topic, value, key=key, headers=list(headers), partition=partition
            )
    finally:
        await producer.stop()


async def read_records(bootstrap: str, topic: str) -> list[Any]:
    """Return every record a topic holds now, partition by partition."""
    return [record async for record in read_topic(bootstrap, topic)]


async def read_events(bootstrap: str, prefix: str, topic: str) -> list[Event]:
    """Return every event on a topic."""
    return [decode(topic, r.value) for r in await read_records(bootstrap, f"{prefix}{topic}")]


async def ends(bootstrap: str, prefix: str, topics: Iterable[str]) -> dict[tuple[str, int], int]:
    """Return where each partition of the topics ends: (topic, partition) to the next offset."""
    names = [f"{prefix}{topic}" for topic in topics]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=f"{prefix}ends")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(name, n) for name in names for n in range(12)])
        found = await consumer.end_offsets(consumer.assignment())
    finally:
        await consumer.stop()
    return {(place.topic.removeprefix(prefix), place.partition): at for place, at in found.items()}
