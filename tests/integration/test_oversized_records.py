"""Records that Kafka refuses for their size: nothing waits behind them, and they go out later."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.local.stack import Stack
from services.ingest.metrics import METRICS
from services.ingest.oversized import OVERSIZED
from services.ingest.spool import SPOOL, SPOOL_COLLECTIONS, Spool
from shared.errors import Unavailable
from shared.events.topics import CONTACT_TOPIC
from shared.mongo import Database
from shared.observability.metrics import Metrics
from shared.streams import Publisher
from shared.streams.admin import create_topics
from shared.streams.reader import read_topic
from shared.streams.sending import Outgoing, RefusedForSize
from tests.support.builders_ingest import NOW, StoppedClock
from tests.support.deployment import Deployment, eventually

LIMIT = 2_000  # bytes that the topic takes here
TOPIC = CONTACT_TOPIC.name


def small(number: int) -> Outgoing:
    return Outgoing(TOPIC, b"conversation", f"event {number}".encode())


LARGE = Outgoing(TOPIC, b"conversation", b"a" * LIMIT * 2)


class Narrow:
    """A deployment whose topic of contact events takes little, and a publisher to it."""

    def __init__(self, deployment: Deployment, database: Database, publisher: Publisher) -> None:
        self.deployment, self.database, self.publisher = deployment, database, publisher
        self.clock, self.metrics = StoppedClock(NOW), Metrics(METRICS)
        self.topic = f"{deployment.prefix}{TOPIC}"

    def spool(self, limit: int = 1_000_000) -> Spool:
        return Spool(self.publisher, self.database, self.clock, self.metrics, limit)

    async def arrived(self) -> list[bytes]:
        return [record.value async for record in read_topic(self.deployment.kafka, self.topic)]

    async def widen(self) -> None:
        """Let the topic take what our catalogue says."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.deployment.kafka)
        await admin.start()
        wide = {"max.message.bytes": str(CONTACT_TOPIC.max_message_bytes)}
        topic = ConfigResource(ConfigResourceType.TOPIC, self.topic, wide)
        try:
            await admin.alter_configs([topic])
        finally:
            await admin.close()

    def metric(self, name: str) -> float:
        pattern = rf"^throughline_{re.escape(name)} (\S+)$"
        (value,) = re.findall(pattern, self.metrics.render().decode(), re.MULTILINE)
        return float(value)

    def counted(self) -> float:
        return self.metric(f'ingest_oversized_records_total{{topic="{TOPIC}"}}')

    async def kept(self) -> tuple[int, int]:
        """Return how many requests are in the spool, and how many apart from it."""
        return await self.database.count(SPOOL, {}), await self.database.count(OVERSIZED, {})


@pytest.fixture
async def narrow(stack: Stack, tmp_path: Path) -> AsyncIterator[Narrow]:
    if not stack.supports_admin:
        pytest.skip("librdkafka's broker in this process has no limits")
    deployment = Deployment(stack.kafka_bootstrap, stack.mongodb_uri, tmp_path)
    topic = replace(CONTACT_TOPIC, max_message_bytes=LIMIT)
    await create_topics(deployment.kafka, deployment.prefix, replication=1, topics=[topic])
    database = deployment.database("ingest")
    await database.ensure(SPOOL_COLLECTIONS)
    publisher = Publisher(deployment.kafka, deployment.prefix)
    await publisher.start()
    yield Narrow(deployment, database, publisher)
    await publisher.stop()
    database.close()
    await deployment.close()


@contextlib.asynccontextmanager
async def draining(spool: Spool) -> AsyncIterator[None]:
    task = asyncio.create_task(spool.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def until(narrow: Narrow, spooled: int, apart: int) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return await narrow.kept() == (spooled, apart)

    return holds


async def test_only_the_record_that_is_too_large_is_refused(narrow: Narrow) -> None:
    with pytest.raises(RefusedForSize, match=r"4000 bytes .* Set max.message.bytes") as refused:
        await narrow.publisher.send([small(1), LARGE, small(2)])
    assert refused.value.records == (LARGE,)
    assert await narrow.arrived() == [small(1).value, small(2).value]


async def test_another_callers_records_in_the_same_batch_are_acknowledged(narrow: Narrow) -> None:
    answers = await asyncio.gather(
        narrow.publisher.send([LARGE]), narrow.publisher.send([small(1)]), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [RefusedForSize, type(None)]
    assert await narrow.arrived() == [small(1).value]


async def test_many_small_records_go_out_though_together_they_are_too_large(
    narrow: Narrow,
) -> None:
    records = [small(number) for number in range(LIMIT // 4)]
    await narrow.publisher.send(records)
    assert await narrow.arrived() == [record.value for record in records]


async def test_in_the_spool_it_holds_nothing_up_and_goes_out_once_the_topic_takes_it(
    narrow: Narrow,
) -> None:
    ours = narrow.spool()
    ours._is_in_use = True  # as if Kafka had been away
    for record in (small(1), LARGE, small(2)):
        await ours.send([record])
    async with draining(ours):
        await eventually(until(narrow, 0, 1), "what is too large waits apart")
        assert await narrow.arrived() == [small(1).value, small(2).value]
        assert narrow.counted() == 1
        await eventually(_shown(narrow, 1), "it is shown")
        await narrow.widen()
        narrow.clock.time += timedelta(minutes=6)
        await eventually(until(narrow, 0, 0), "it is put back")
        await eventually(_shown(narrow, 0), "nothing is shown any more")
    assert sorted(await narrow.arrived()) == sorted([small(1).value, small(2).value, LARGE.value])


async def test_a_topic_that_is_still_too_small_is_asked_again_and_nothing_is_lost(
    narrow: Narrow,
) -> None:
    ours = narrow.spool()
    await ours.send([LARGE])
    async with draining(ours):
        narrow.clock.time += timedelta(minutes=6)
        await eventually(_tried(narrow), "it is tried again")
    assert await narrow.kept() == (0, 1)
    assert narrow.counted() == 1


async def test_whoever_sends_it_has_it_taken_and_what_comes_next_goes_straight_to_kafka(
    narrow: Narrow,
) -> None:
    ours = narrow.spool()
    await ours.send([small(1), LARGE])
    await ours.send([small(2)])
    assert await narrow.kept() == (0, 1)
    assert await narrow.arrived() == [small(1).value, small(2).value]


async def test_it_counts_towards_the_spools_bound(narrow: Narrow) -> None:
    ours = narrow.spool(limit=len(LARGE.value) + 100)
    await ours.send([LARGE])
    with pytest.raises(Unavailable, match="spool is full"):
        await ours.send([LARGE])
    assert await narrow.kept() == (0, 1)


def _shown(narrow: Narrow, number: int) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return narrow.metric("ingest_oversized_requests") == number

    return holds


def _tried(narrow: Narrow) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        (kept,) = await narrow.database.find(OVERSIZED, {})
        return bool(kept["tried_at"] == narrow.clock.time)

    return holds
