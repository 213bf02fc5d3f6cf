"""A store away for longer than anything may hang: processes stay alive and go on by themselves."""

import asyncio
from pathlib import Path

from deploy.local.stack import Stack
from shared.observability.health import STALLED_AFTER
from tests.support.books import Load, applied, assert_every_effect_once
from tests.support.deployment import Deployment, Running, eventually
from tests.support.stack import OwnKafka, OwnMongodb


async def test_a_long_outage_of_either_store_kills_nobody(
    stack: Stack, own_kafka: OwnKafka, own_mongodb: OwnMongodb, tmp_path: Path
) -> None:
    broker, mongod = own_kafka(), own_mongodb()
    without_kafka = Deployment(broker.bootstrap, stack.mongodb_uri, tmp_path / "kafka-goes")
    without_mongodb = Deployment(stack.kafka_bootstrap, mongod.uri, tmp_path / "mongodb-goes")
    both = (without_kafka, without_mongodb)
    try:
        for deployment in both:
            deployment.folder.mkdir()
            await deployment.create_topics()
        processes = [deployment.start("tests.support.ledger") for deployment in both]
        async with Load(without_kafka) as first, Load(without_mongodb) as second:
            for deployment in both:
                await eventually(lambda d=deployment: _has_begun(d), "the load has begun")
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(mongod.kill)
            await _assert_alive(processes, STALLED_AFTER + 20)
            await asyncio.to_thread(broker.start)
            await asyncio.to_thread(mongod.start)
        await assert_every_effect_once(without_kafka, first.events, seconds=60)
        await assert_every_effect_once(without_mongodb, second.events, seconds=60)
        for process in processes:
            assert await process.stop() == 0, process.log.read_text()
    finally:
        for server, deployment in zip((broker, mongod), both, strict=True):
            if server._process is None:
                await asyncio.to_thread(server.start)
            await deployment.close()


async def _has_begun(deployment: Deployment) -> bool:
    database = deployment.database("ledger")
    try:
        return await applied(database) >= 20
    finally:
        database.close()


async def _assert_alive(processes: list[Running], seconds: float) -> None:
    """Ask each process every second whether it lives."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        for process in processes:
            assert await process.get("/health/live") == (200, "live"), process.log.read_text()
        await asyncio.sleep(1)
