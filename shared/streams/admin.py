"""Topics on a Kafka: made from the catalogue, and compared with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from shared.errors import ThroughlineError, Unavailable
from shared.events.topics import TOPICS, Topic

_TOPIC_EXISTS = 36
_ANSWER_MS = 15_000


@dataclass(frozen=True, slots=True)
class TopicFound:
    """A topic of the catalogue and how many partitions Kafka has for it (0 = it is missing)."""

    topic: Topic
    partitions: int


async def list_topics(bootstrap: str, prefix: str = "") -> list[TopicFound]:
    """Return every topic of the catalogue as it is on this Kafka."""
    admin = await _connect(bootstrap)
    try:
        described = await admin.describe_topics([f"{prefix}{topic.name}" for topic in TOPICS])
        found = {d["topic"]: len(d["partitions"]) for d in described if not d["error_code"]}
    finally:
        await admin.close()
    return [TopicFound(topic, found.get(f"{prefix}{topic.name}", 0)) for topic in TOPICS]


async def create_topics(
    bootstrap: str, prefix: str = "", *, replication: int = 3, topics: Sequence[Topic] = TOPICS
) -> list[str]:
    """Create the topics that are missing; return their names. What is there stays as it is.

    `replication` is the number of copies; two of three must have a record before it counts.
    """
    admin = await _connect(bootstrap)
    try:
        wanted = [_new(topic, prefix, replication) for topic in topics]
        response = await admin.create_topics(wanted, timeout_ms=_ANSWER_MS)
    finally:
        await admin.close()
    created = []
    for name, code, *_ in response.topic_errors:
        if code and code != _TOPIC_EXISTS:
            raise ThroughlineError(
                f"Kafka did not create the topic {name} ({for_code(code).__name__}).",
                "With fewer than three brokers give --replication 1.",
            )
        if not code:
            created.append(name)
    return created


def _new(topic: Topic, prefix: str, replication: int) -> NewTopic:
    return NewTopic(
        f"{prefix}{topic.name}",
        topic.partitions,
        replication,
        topic_configs={
            "retention.ms": str(int(topic.retention.total_seconds() * 1000)),
            "max.message.bytes": str(topic.max_message_bytes),
            "min.insync.replicas": str(min(2, replication)),
            "unclean.leader.election.enable": "false",
            "message.timestamp.type": "LogAppendTime" if topic.broker_time else "CreateTime",
        },
    )


async def _connect(bootstrap: str) -> AIOKafkaAdminClient:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_ANSWER_MS)
    try:
        await admin.start()
    except (KafkaError, OSError) as error:
        await admin.close()
        raise Unavailable(
            f"Kafka does not answer ({type(error).__name__}).", "Check THROUGHLINE_KAFKA."
        ) from None
    return admin
