"""What the profile reads back, on the database in memory and on a real MongoDB alike."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from services.profile import store
from services.profile.api import read_piece
from shared.clock import EARLIEST, LATEST
from shared.mongo import Database
from shared.streams.state import load, write
from tests.support.builders_profile import (
    EMAIL,
    NOON,
    TEL,
    WHATSAPP,
    at,
    clock_warned,
    customer_id,
    message,
    opaque,
    processor,
    received,
    record,
)
from tests.support.memory_database import MemoryDatabase


class RealDatabase(Database):
    """A real database that handles a batch as the stream layer does, without its transaction."""

    async def process(self, processor: Any, incoming: Any, now: Any) -> Any:
        """Load what the batch needs, decide, write."""
        effects = processor.decide(incoming, await load(self, None, processor, incoming), now)
        await write(self, None, effects.writes)
        return effects


@pytest.fixture(params=["memory", "mongodb"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield MemoryDatabase()
        return
    database = RealDatabase(request.getfixturevalue("mongodb"), f"profile-{uuid4().hex[:8]}")
    await database.ensure(store.COLLECTIONS)
    yield database
    await database.client.drop_database(database.name)
    database.close()


async def put(database: Any, *events: Any, minute: float = 0) -> None:
    await database.process(processor(), received(*events), at(minute))


async def test_a_customer_reads_back_as_it_was_decided(database: Any) -> None:
    await put(database, message(TEL, WHATSAPP, name="Ana", time=at(3)), record(TEL, EMAIL))
    person = await store.find_customer(database, customer_id(EMAIL))
    assert person is not None
    assert set(person.contact_points) == {TEL, WHATSAPP, EMAIL}
    assert person.name is not None and person.name.value == "Ana Novak"
    assert (person.first_seen_at, person.last_seen_at) == (at(3), NOON)
    assert await store.find_customer(database, "cust_unknown") is None


async def test_applying_a_batch_again_changes_nothing(database: Any) -> None:
    facts = [
        message(TEL, WHATSAPP, name="Ana"),
        record(WHATSAPP, EMAIL),
        clock_warned(TEL, due=at(9)),
    ]

    async def everything() -> list[Any]:
        return [await database.find(each.name, {}, (("_id", 1),)) for each in store.COLLECTIONS]

    await put(database, *facts)
    before = await everything()
    effects = await database.process(processor(), received(*facts), at(60))
    assert await everything() == before
    assert effects.publishes == []
    assert not [write for write in effects.writes if write.collection != store.TIMELINE]


async def test_a_timeline_over_several_members_reads_in_pieces(database: Any) -> None:
    for number in range(10):
        await put(
            database, message(TEL if number % 2 else EMAIL, number=number, time=at(number // 3))
        )
    await put(database, record(TEL, EMAIL, time=at(-1)))
    person = await store.find_customer(database, customer_id(TEL))
    assert person is not None
    read, cursor = await read_piece(database, person, None, 4)
    while cursor is not None:
        piece, cursor = await read_piece(database, person, cursor, 4)
        read += piece
    places = [(entry.occurred_at, entry.entry_id) for entry in read]
    assert places == sorted(places, reverse=True)
    assert len(set(places)) == 11


async def test_what_bson_has_no_room_for_is_kept(database: Any) -> None:
    data = {"contact_points": [TEL], "big": 10**30, "a\x00b": [None, 1.5]}
    await put(database, opaque(data), message(TEL, raw={"big": 2**70}, text="\x00"))
    entries = await store.recorded_since(database, [customer_id(TEL)], NOON, 10)
    assert {entry.kind for entry in entries} == {"throughline.parcel.lost.v1", "message.received"}
    assert next(entry for entry in entries if entry.opaque).data == data
    assert next(entry for entry in entries if not entry.opaque).data["raw"] == {"big": 2**70}


async def test_the_first_and_the_last_time_there_is_are_kept(database: Any) -> None:
    for number, moment in enumerate((EARLIEST, LATEST)):
        await put(database, message(TEL, number=number, window_closes_at=moment))
    entries = await store.recorded_since(database, [customer_id(TEL)], NOON, 10)
    assert {entry.data["window_closes_at"] for entry in entries} == {EARLIEST, LATEST}


async def test_entries_recorded_since_come_in_that_order(database: Any) -> None:
    for number, minute in enumerate((1, 2, 3)):
        await put(database, message(TEL, number=number, time=at(-number)), minute=minute)
    found = await store.recorded_since(database, [customer_id(TEL)], at(2), 10)
    assert [entry.recorded_at for entry in found] == [at(2), at(3)]


async def test_those_seen_last_come_first_and_the_never_seen_not_at_all(database: Any) -> None:
    await put(database, message(TEL, time=at(0), number=1))
    await put(database, message(EMAIL, time=at(30), number=2))
    await put(database, record(WHATSAPP))
    await put(database, message("tel:+38640999999", "email:bor@example.com", time=at(60)))
    recent = await store.recently_seen(database, 10)
    assert [person.last_seen_at for person in recent] == [at(60), at(30), at(0)]


async def test_a_timeline_is_read_from_its_index_and_never_sorted_in_memory(mongodb: str) -> None:
    database = RealDatabase(mongodb, f"profile-{uuid4().hex[:8]}")
    await database.ensure(store.COLLECTIONS)
    await put(database, message(TEL), message(EMAIL))
    plan = await (
        database.raw[store.TIMELINE]
        .find({"customer_id": {"$in": [customer_id(TEL), customer_id(EMAIL)]}})
        .sort([("occurred_at", -1), ("_id", -1)])
        .limit(50)
        .explain()
    )
    stages = repr(plan["queryPlanner"]["winningPlan"])
    assert "SORT_MERGE" in stages and "COLLSCAN" not in stages
    assert "'stage': 'SORT'" not in stages
    await database.client.drop_database(database.name)
    database.close()
