"""A page that stays open: every new entry once, whatever breaks in between."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.profile import store
from services.profile.feed import Feed, Fresh, Quiet, Stale
from services.profile.live import QUEUE, Live
from shared.errors import Unavailable
from tests.support.builders_profile import (
    EMAIL,
    NOON,
    TEL,
    at,
    customer_id,
    message,
    processor,
    received,
    record,
)
from tests.support.memory_database import MemoryDatabase


class Breaking(MemoryDatabase):
    """Its change stream can be broken by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = asyncio.Event()

    async def watch(self, collection: str, **more: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield inserts until broken."""
        inner = super().watch(collection, **more)
        while True:
            following = asyncio.ensure_future(anext(inner))
            breaking = asyncio.ensure_future(self.broken.wait())
            await asyncio.wait({following, breaking}, return_when=asyncio.FIRST_COMPLETED)
            breaking.cancel()
            if not following.done():
                following.cancel()
                raise Unavailable("The change stream broke.", "Watch again.")
            yield following.result()


@pytest.fixture
async def database() -> MemoryDatabase:
    database = MemoryDatabase()
    await put(database, 0)
    return database


@pytest.fixture
async def live(database: MemoryDatabase) -> AsyncIterator[Live]:
    live = Live(database, first_pause=0.01)
    running = asyncio.create_task(live.run())
    await database.watched.wait()
    yield live
    running.cancel()


async def put(database: MemoryDatabase, number: int, *points: str, minute: float = 0) -> str:
    event = message(*(points or (TEL,)), number=number, time=at(number))
    await database.process(processor(), received(event), at(minute))
    return event.id


async def feed(database: Any, live: Live, since: Any = NOON, heartbeat: float = 30) -> Any:
    customer = await store.find_customer(database, customer_id(TEL))
    assert customer is not None
    return Feed(database, live, customer, since, heartbeat).run()


async def until(told: Any, kind: type) -> list[Any]:
    """Read until something of this kind comes; return everything read."""
    read = []
    async with asyncio.timeout(30):
        async for one in told:
            read.append(one)
            if isinstance(one, kind):
                break
    return read


async def test_a_new_entry_comes_at_once(database: MemoryDatabase, live: Live) -> None:
    told = await feed(database, live, since=at(5))
    assert isinstance((await until(told, Quiet))[-1], Quiet)
    entry_id = await put(database, 1, minute=6)
    [fresh] = await until(told, Fresh)
    assert (fresh.entry.entry_id, fresh.position) == (entry_id, at(6))
    await told.aclose()


async def test_another_customers_entries_do_not_come(database: MemoryDatabase, live: Live) -> None:
    told = await feed(database, live, since=at(5))
    await until(told, Quiet)
    await put(database, 1, EMAIL, minute=6)
    mine = await put(database, 2, minute=6)
    [fresh] = await until(told, Fresh)
    assert fresh.entry.entry_id == mine
    await told.aclose()


async def test_what_came_while_away_is_sent_on_return_and_not_twice(
    database: MemoryDatabase, live: Live
) -> None:
    missed = [await put(database, number, minute=6) for number in (1, 2, 3)]
    told = await feed(database, live, since=at(6), heartbeat=0.05)
    first = await until(told, Quiet)
    assert sorted(one.entry.entry_id for one in first[:-1]) == sorted(missed)
    assert [type(one) for one in await until(told, Quiet)] == [Quiet], "looked again, sent nothing"
    await told.aclose()


async def test_an_entry_that_committed_late_is_not_lost(
    database: MemoryDatabase, live: Live
) -> None:
    late = await put(database, 1, minute=5)
    told = await feed(database, live, since=at(6))
    assert [one.entry.entry_id for one in (await until(told, Quiet))[:-1]] == [late]
    await told.aclose()


async def test_a_broken_change_stream_delays_and_never_loses() -> None:
    database = Breaking()
    await put(database, 0)
    live = Live(database, first_pause=3600)  # it stays broken for the test
    running = asyncio.create_task(live.run())
    told = await feed(database, live, since=at(5), heartbeat=0.05)
    await until(told, Quiet)
    database.broken.set()
    await asyncio.sleep(0)
    entry_id = await put(database, 1, minute=6)
    fresh = (await until(told, Fresh))[-1]
    assert fresh.entry.entry_id == entry_id
    await told.aclose()
    running.cancel()


async def test_the_change_stream_is_opened_again() -> None:
    database = Breaking()
    live = Live(database, first_pause=0.001)
    running = asyncio.create_task(live.run())
    async with asyncio.timeout(30):
        await database.watched.wait()
        database.broken.set()
        await database.unwatched.wait()
        database.broken.clear()
        await database.watched.wait()
    assert not running.done()
    running.cancel()


async def test_a_customer_that_is_linked_meanwhile_wants_a_new_page(
    database: MemoryDatabase, live: Live
) -> None:
    told = await feed(database, live, since=at(5), heartbeat=0.05)
    await until(told, Quiet)
    await database.process(processor(), received(record(TEL, EMAIL)), at(6))
    assert isinstance((await until(told, Stale))[-1], Stale)
    assert [one async for one in told] == [], "the feed has ended"


async def test_a_reader_that_hangs_is_let_go_and_its_memory_is_bounded(
    database: MemoryDatabase, live: Live
) -> None:
    told = await feed(database, live, since=at(5))
    await until(told, Quiet)
    ids = {await put(database, number, minute=6) for number in range(1, QUEUE + 3)}
    async with asyncio.timeout(30):
        rest = [one async for one in told]
    assert len(rest) <= QUEUE
    assert live.readers == 0
    again = await feed(database, live, since=at(6))
    caught_up = {one.entry.entry_id for one in (await until(again, Quiet))[:-1]}
    assert ids <= caught_up
    await again.aclose()


async def test_a_reader_told_to_stop_just_as_an_entry_comes_stops(
    database: MemoryDatabase, live: Live
) -> None:
    await put(database, 1)
    (entry, *_) = await store.recorded_since(database, [customer_id(TEL)], NOON, 10)

    async def read_for_life() -> None:
        while True:
            await reader.next(30)

    with live.subscribe([customer_id(TEL)]) as reader:
        reading = asyncio.create_task(read_for_life())
        await asyncio.sleep(0)  # it waits
        reader.offer(entry)
        await asyncio.sleep(0)  # the entry has reached it, and it has not gone on
        reading.cancel()
        ended, _ = await asyncio.wait({reading}, timeout=30)
        reading.cancel()  # in vain the first time, it would read on after the test
    assert ended


async def test_a_reader_that_leaves_is_forgotten(database: MemoryDatabase, live: Live) -> None:
    told = await feed(database, live)
    await until(told, Quiet)
    assert live.readers == 1
    await told.aclose()
    assert live.readers == 0
