"""Timing a processor on the real stream layer, and a bare loop, over the same records."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import AIOKafkaConsumer

from shared.clock import SystemClock
from shared.mongo import Collection, Database
from shared.observability import Health, Metric, Metrics, get_logger
from shared.observability.metrics import STREAM_METRICS
from shared.streams import STREAM_COLLECTIONS, Consumer, Processor, Publisher, Scope, Worker
from tests.benchmarks.loads import BATCH

_PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a benchmark runs: a Kafka, a MongoDB, and the prefix its topics have."""

    kafka: str
    mongodb: str
    prefix: str


Step = Callable[[Sequence[Any]], Awaitable[None]]


async def time_bare(place: Place, topic: str, expected: int, group: str, step: Step) -> float:
    """Return the seconds a hand-written loop takes: `getmany`, `step`, one commit per batch."""
    consumer = AIOKafkaConsumer(
        f"{place.prefix}{topic}",
        bootstrap_servers=place.kafka,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=8 * 1024 * 1024,
        max_partition_fetch_bytes=2 * 1024 * 1024,
    )
    await consumer.start()
    seen, started = 0, 0.0
    try:
        while seen < expected:
            batches = await consumer.getmany(timeout_ms=100, max_records=BATCH)
            if not batches:
                continue
            started = started or time.perf_counter()
            records = [record for batch in batches.values() for record in batch]
            await step(records)
            await consumer.commit()
            seen += len(records)
    finally:
        await consumer.stop()
    return time.perf_counter() - started


async def time_processor(
    place: Place,
    processor: Processor,
    expected: int,
    group: str,
    collections: Sequence[Collection],
    metrics: Sequence[Metric] = (),
    keep: Callable[[Database], Awaitable[None]] | None = None,
) -> float:
    """Return the seconds the stream layer takes for the same records, publishing included.

    `keep` may read what was written before the database is dropped.
    """
    seen, started, done = 0, 0.0, asyncio.Event()

    def decide(incoming: Any, state: Any, now: Any) -> Any:
        nonlocal seen, started
        started = started or time.perf_counter()
        return processor.decide(incoming, state, now)

    database = Database(place.mongodb, f"{place.prefix}bench-{group}")
    await database.ensure((*STREAM_COLLECTIONS, *collections))
    publisher = Publisher(place.kafka, place.prefix)
    await publisher.start()
    scope = Scope(
        group,
        place.prefix,
        SystemClock(),
        Metrics((*STREAM_METRICS, *metrics)),
        Health(None),
        get_logger("bench"),
        30.0,
    )
    worker = Worker(replace(processor, name=group, decide=decide), scope, database, publisher)
    handle = worker.handle

    async def counted(records: Sequence[Any]) -> None:
        nonlocal seen
        await handle(records)
        seen += len(records)
        if seen >= expected:
            done.set()

    worker.handle = counted  # type: ignore[method-assign]
    consumer = Consumer(place.kafka, worker)
    loops = [asyncio.create_task(worker.run()), asyncio.create_task(consumer.run())]
    try:
        async with asyncio.timeout(_PATIENCE):
            waiting: asyncio.Future[Any] = asyncio.create_task(done.wait())
            failed: asyncio.Future[Any] = worker.failed
            await asyncio.wait({waiting, failed}, return_when=asyncio.FIRST_COMPLETED)
            if worker.failed.done():
                raise worker.failed.result()
        seconds = time.perf_counter() - started
    finally:
        await worker.stop(20.0)
        await consumer.stop()
        for loop in loops:
            loop.cancel()
        await publisher.stop()
    if keep is not None:
        await keep(database)
    await database.client.drop_database(database.name)
    database.close()
    return seconds
