"""Kafka is killed or restarted under load, or is away: consumers resume and the outbox drains."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.kafka import LocalKafka
from deploy.local.stack import Stack
from tests.support.books import Load, applied, assert_every_effect_once, messages
from tests.support.deployment import Deployment, eventually
from tests.support.kafka import publish
from tests.support.stack import OwnKafka


@pytest.fixture
def broker(own_kafka: OwnKafka) -> LocalKafka:
    """A Kafka this test may break."""
    return own_kafka()


@pytest.fixture
async def deployment(stack: Stack, broker: LocalKafka, tmp_path: Path) -> AsyncIterator[Deployment]:
    """A deployment on a Kafka of its own and the shared MongoDB."""
    one = Deployment(broker.bootstrap, stack.mongodb_uri, tmp_path)
    await one.create_topics()
    yield one
    await one.close()


@pytest.mark.parametrize("ending", ["kill", "stop"])
async def test_a_broker_restarted_under_load_loses_and_doubles_nothing(
    deployment: Deployment, broker: LocalKafka, ending: str
) -> None:
    process = deployment.start("tests.support.ledger")
    database = deployment.database("ledger")
    try:
        async with Load(deployment) as load:
            await eventually(lambda: _has_applied(database, 20), "the load has begun")
            await asyncio.to_thread(getattr(broker, ending))
            await asyncio.sleep(3)  # longer than the session timeout: the group is forgotten
            assert await process.get("/health/ready") == (200, "ready")
            await asyncio.to_thread(broker.start)
            before = await applied(database)
            await eventually(lambda: _has_applied(database, before + 50), "the consumer resumes")
    finally:
        database.close()
    await assert_every_effect_once(deployment, load.events)
    assert process.process.poll() is None  # the same process: nobody had to restart it
    assert await process.stop() == 0, process.log.read_text()


async def test_a_service_started_without_kafka_is_ready_and_begins_when_kafka_comes(
    deployment: Deployment, broker: LocalKafka
) -> None:
    events = messages(10)
    await publish(deployment.kafka, deployment.prefix, events)
    await asyncio.to_thread(broker.stop)
    process = deployment.start("tests.support.ledger")
    await eventually(lambda: _is_ready(process), "ready without Kafka")

    await asyncio.to_thread(broker.start)

    await assert_every_effect_once(deployment, events)
    assert await process.stop() == 0, process.log.read_text()


async def test_a_service_told_to_stop_without_kafka_stops_in_good_order(
    deployment: Deployment, broker: LocalKafka
) -> None:
    events = messages(40)
    await publish(deployment.kafka, deployment.prefix, events[:20])
    process = deployment.start("tests.support.ledger")
    await assert_every_effect_once(deployment, events[:20])
    async with Load(deployment, per_second=200):
        await asyncio.sleep(0.2)
        await asyncio.to_thread(broker.kill)
        await asyncio.sleep(1)
        assert await process.stop(seconds=30) == 0, process.log.read_text()
        await asyncio.to_thread(broker.start)


async def _has_applied(database: Any, count: int) -> bool:
    return await applied(database) >= count


async def _is_ready(process: Any) -> bool:
    status, _ = await process.get("/health/ready")
    return bool(status == 200)
