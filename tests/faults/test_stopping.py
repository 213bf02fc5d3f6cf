"""SIGTERM under load, health while a store is away, and loops that die or hang."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.stack import Stack
from shared.observability import health
from tests.support import ledger
from tests.support.books import Load, applied, assert_every_effect_once, messages
from tests.support.deployment import Deployment, eventually
from tests.support.kafka import publish
from tests.support.stack import OwnMongodb


async def test_a_process_told_to_stop_under_load_hands_over_everything(
    deployment: Deployment,
) -> None:
    database = deployment.database("ledger")
    process = deployment.start("tests.support.ledger")
    try:
        async with Load(deployment, per_second=150) as load:
            for _ in range(3):
                before = await applied(database)
                await eventually(lambda n=before: _has_applied(database, n + 40), "it goes on")
                successor = deployment.start("tests.support.ledger")
                assert await process.stop(seconds=30) == 0, process.log.read_text()
                process = successor
    finally:
        database.close()
    await assert_every_effect_once(deployment, load.events)
    assert await process.metric("fenced_writes_total") == 0
    assert await process.stop() == 0, process.log.read_text()


async def test_readiness_follows_mongodb(
    stack: Stack, own_mongodb: OwnMongodb, tmp_path: Path
) -> None:
    mongod = own_mongodb()
    deployment = Deployment(stack.kafka_bootstrap, mongod.uri, tmp_path)
    await deployment.create_topics()
    process = deployment.start("tests.support.ledger")
    try:
        await eventually(lambda: _answers(process, "/health/ready", 200), "ready")
        await asyncio.to_thread(mongod.stop)
        await eventually(lambda: _answers(process, "/health/ready", 503), "not ready any more")
        assert await process.get("/health/live") == (200, "live")
        await asyncio.to_thread(mongod.start)
        await eventually(lambda: _answers(process, "/health/ready", 200), "ready again")
        assert await process.stop() == 0, process.log.read_text()
    finally:
        await deployment.close()


@pytest.fixture
async def inside(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[ledger.Service, asyncio.Task[int], asyncio.Event]]:
    """A ledger in this very process, so that a test can reach into it."""
    service, stop = ledger.in_this_process(deployment, monkeypatch), asyncio.Event()
    running = asyncio.create_task(service.serve(stop))
    yield service, running, stop
    stop.set()
    await asyncio.wait_for(running, 60)


async def test_a_consume_loop_that_dies_ends_the_process_with_70(inside: Any) -> None:
    service, running, _ = inside
    await eventually(lambda: _owns(service), "it consumes")

    service._consumers[0].loops()[0].cancel()

    assert await asyncio.wait_for(running, 30) == 70


async def test_a_take_over_that_fails_ends_the_process_even_on_an_idle_topic(
    inside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, running, _ = inside
    await eventually(lambda: _owns(service), "it consumes")
    worker = service._workers[0]

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(worker.ownership, "_claim", broken)
    worker.ownership.lost(worker._consumer)

    assert await asyncio.wait_for(running, 30) == 70


async def test_a_loop_that_hangs_is_not_live(
    deployment: Deployment, inside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, _, _ = inside
    await eventually(lambda: _owns(service), "it consumes")
    assert service.health.why_not_live() is None
    hung, go_on = asyncio.Event(), asyncio.Event()

    async def hang(_records: object) -> None:
        hung.set()
        await go_on.wait()

    monkeypatch.setattr(service._workers[0], "_handle", hang)
    await publish(deployment.kafka, deployment.prefix, messages(1))
    await asyncio.wait_for(hung.wait(), 30)

    monkeypatch.setattr(health, "STALLED_AFTER", 1.0)  # not before: others may be slow to begin
    await eventually(lambda: _is_stuck(service), "it says what is stuck")
    go_on.set()


async def _has_applied(database: Any, count: int) -> bool:
    return await applied(database) >= count


async def _answers(process: Any, path: str, wanted: int) -> bool:
    status, _ = await process.get(path)
    return bool(status == wanted)


async def _owns(service: Any) -> bool:
    return any(worker.ownership.held for worker in service._workers)


async def _is_stuck(service: Any) -> bool:
    return "makes no progress" in (service.health.why_not_live() or "")
