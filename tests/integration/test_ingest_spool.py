"""The spool on a real MongoDB: nothing kept is lost, it drains in order, and it is bounded."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence

import pytest

from services.ingest.metrics import METRICS
from services.ingest.spool import SPOOL, SPOOL_COLLECTIONS, Spool
from shared.clock import SystemClock
from shared.errors import Unavailable
from shared.mongo import Database
from shared.observability.metrics import Metrics
from shared.streams.sending import Outgoing
from tests.support.deployment import eventually


class FakeKafka:
    """Takes records while it is up; while it is down it answers nobody."""

    def __init__(self) -> None:
        self.up = True
        self.records: list[Outgoing] = []

    async def send(self, records: Sequence[Outgoing]) -> None:
        if not self.up:
            raise Unavailable("Kafka did not acknowledge in time.", "Try again.")
        self.records.extend(records)


@pytest.fixture
async def database(mongodb: str) -> AsyncIterator[Database]:
    one = Database(mongodb, f"spool-{uuid.uuid4().hex[:8]}")
    await one.ensure(SPOOL_COLLECTIONS)
    yield one
    await one.client.drop_database(one.name)
    one.close()


def spool(kafka: FakeKafka, database: Database, limit: int = 1_000_000) -> Spool:
    return Spool(kafka, database, SystemClock(), Metrics(METRICS), limit)


def record(number: int) -> Outgoing:
    return Outgoing("contact-events", b"conversation", f"event {number}".encode())


@contextlib.asynccontextmanager
async def draining(*spools: Spool) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.run()) for one in spools]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def is_empty(database: Database) -> bool:
    return await database.count(SPOOL, {}) == 0


async def test_with_kafka_nothing_is_spooled(database: Database) -> None:
    kafka = FakeKafka()
    await spool(kafka, database).send([record(1)])
    assert kafka.records == [record(1)]
    assert await is_empty(database)


async def test_what_was_kept_while_kafka_was_away_goes_out_once_and_in_order(
    database: Database,
) -> None:
    kafka = FakeKafka()
    kafka.up = False
    ours = spool(kafka, database)
    for number in range(250):
        await ours.send([record(number)])
    kafka.up = True
    async with draining(ours):
        await eventually(lambda: is_empty(database), "the spool is empty")
    assert kafka.records == [record(number) for number in range(250)]


async def test_two_processes_drain_one_spool_in_turn(database: Database) -> None:
    kafka = FakeKafka()
    kafka.up = False
    first, second = spool(kafka, database), spool(kafka, database)
    for number in range(120):
        await (first, second)[number % 2].send([record(number)])
    kafka.up = True
    async with draining(first, second):
        await eventually(lambda: is_empty(database), "the spool is empty")
    assert sorted(r.value for r in kafka.records) == sorted(record(n).value for n in range(120))


async def test_another_process_drains_what_one_that_died_kept(database: Database) -> None:
    kafka = FakeKafka()
    kafka.up = False
    await spool(kafka, database).send([record(1)])
    kafka.up = True
    async with draining(spool(kafka, database)):
        await eventually(lambda: is_empty(database), "the spool is empty")
    assert kafka.records == [record(1)]


async def test_a_full_spool_refuses(database: Database) -> None:
    kafka = FakeKafka()
    kafka.up = False
    ours = spool(kafka, database, limit=30)
    await ours.send([record(1)])
    with pytest.raises(Unavailable, match="spool is full"):
        await ours.send([record(2)])
    assert await database.count(SPOOL, {}) == 1


async def test_once_it_is_drained_kafka_is_asked_first_again(database: Database) -> None:
    kafka = FakeKafka()
    kafka.up = False
    ours = spool(kafka, database)
    await ours.send([record(1)])
    kafka.up = True
    async with draining(ours):
        await eventually(lambda: is_empty(database), "the spool is empty")
    await ours.send([record(2)])
    assert kafka.records == [record(1), record(2)]
    assert await is_empty(database)


async def test_with_both_away_it_is_said(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> bool:
        raise Unavailable("MongoDB does not answer.", "Try again.")

    kafka = FakeKafka()
    kafka.up = False
    monkeypatch.setattr(database, "insert", away)
    with pytest.raises(Unavailable, match="MongoDB"):
        await spool(kafka, database).send([record(1)])


async def test_nothing_new_overtakes_what_is_in_the_spool(database: Database) -> None:
    kafka = FakeKafka()
    kafka.up = False
    ours = spool(kafka, database)
    for number in range(150):
        await ours.send([record(number)])
    kafka.up = True
    async with draining(ours):
        await eventually(lambda: has_begun(kafka), "draining has begun", every=0.0)
        await ours.send([record(150)])
        await eventually(lambda: is_empty(database), "the spool is empty")
    assert kafka.records == [record(number) for number in range(151)]


async def has_begun(kafka: FakeKafka) -> bool:
    return bool(kafka.records)


async def test_many_at_once_do_not_count_on_the_same_room(database: Database) -> None:
    kafka = FakeKafka()
    kafka.up = False
    ours = spool(kafka, database, limit=200)
    sent = await asyncio.gather(
        *(ours.send([record(number)]) for number in range(50)), return_exceptions=True
    )
    refused = sum(isinstance(answer, Unavailable) for answer in sent)
    assert 0 < refused < 50
    assert (await database.count(SPOOL, {})) == 50 - refused <= 200 // len(record(0).value)
