"""Putting records back on their topics, exactly as they came: for dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.errors import Unavailable
from shared.events.topics import DEAD_LETTER_TOPIC

_REQUEST_TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class OriginalRecord:
    """A record as it lay on its topic (`topic` with the deployment's prefix)."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


async def put_back(bootstrap: str, records: Sequence[OriginalRecord]) -> None:
    """Write records to their partitions again, in order; return when Kafka has them all.

    Raises `Unavailable` when it has not in time.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
        max_request_size=DEAD_LETTER_TOPIC.max_message_bytes,
    )
    try:
        await producer.start()
        for record in records:
            await producer.send_and_wait(
                record.topic,
                record.value,
                key=record.key,
                partition=record.partition,
                headers=list(record.headers),
            )
    except (KafkaError, OSError) as error:
        raise Unavailable(
            f"Kafka did not take a record back ({type(error).__name__}).",
            "Run it again: what was put back already is recognised by its id.",
        ) from None
    finally:
        await producer.stop()
