"""A store away for longer than a transaction may take: loops wait, say so, and go on afterwards."""

import asyncio
import time
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from tests.support import ledger
from tests.support.books import Load, applied, assert_every_effect_once
from tests.support.deployment import Deployment, eventually
from tests.support.stack import OwnKafka, OwnMongodb

OUTAGE = 45.0  # seconds
LONGEST_SILENCE = 40.0  # seconds: a transaction's deadline of 30, and a loaded machine


async def test_in_a_long_outage_of_either_store_every_loop_shows_that_it_lives(
    stack: Stack,
    own_kafka: OwnKafka,
    own_mongodb: OwnMongodb,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker, mongod = own_kafka(), own_mongodb()
    without_kafka = Deployment(broker.bootstrap, stack.mongodb_uri, tmp_path)
    without_mongodb = Deployment(stack.kafka_bootstrap, mongod.uri, tmp_path)
    both = (without_kafka, without_mongodb)
    for deployment in both:
        await deployment.create_topics()
    services = [ledger.in_this_process(deployment, monkeypatch) for deployment in both]
    stop = asyncio.Event()
    running = [asyncio.create_task(service.serve(stop)) for service in services]
    try:
        async with Load(without_kafka) as first, Load(without_mongodb) as second:
            for deployment in both:
                await eventually(lambda d=deployment: _has_begun(d), "the load has begun")
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(mongod.kill)
            await _assert_never_silent(services)
            await asyncio.to_thread(broker.start)
            await asyncio.to_thread(mongod.start)
        await assert_every_effect_once(without_kafka, first.events, seconds=60)
        await assert_every_effect_once(without_mongodb, second.events, seconds=60)
    finally:
        stop.set()
        statuses = await asyncio.gather(*running)
    assert statuses == [0, 0]
    for deployment in both:
        await deployment.close()


async def _has_begun(deployment: Deployment) -> bool:
    database = deployment.database("ledger")
    try:
        return await applied(database) >= 20
    finally:
        database.close()


async def _assert_never_silent(services: list[ledger.Service]) -> None:
    """Look every second when each loop last said that it lives."""
    deadline = time.monotonic() + OUTAGE
    while time.monotonic() < deadline:
        for service in services:
            assert service.health.why_not_live() is None
            for loop, tick in service.health._ticks.items():
                assert time.monotonic() - tick < LONGEST_SILENCE, loop
        await asyncio.sleep(1)
