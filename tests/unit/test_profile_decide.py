"""What the profile decides from single batches."""

from typing import Any

import pytest

from services.profile import store
from shared.events.contact import MessageReceived
from shared.events.customers import CustomerIdentified, CustomersLinked
from shared.streams import State
from tests.support.builders_profile import (
    EMAIL,
    NOON,
    TEL,
    WHATSAPP,
    at,
    case_opened,
    changed,
    clock_warned,
    customer_id,
    message,
    opaque,
    processor,
    received,
    record,
)
from tests.support.memory_database import MemoryDatabase


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


async def put(database: MemoryDatabase, *events: Any, minute: float = 0) -> Any:
    return await database.process(processor(), received(*events), at(minute))


def counts(effects: Any, metric: str) -> float:
    return sum(count.amount for count in effects.counts if count.metric == metric)


async def test_a_first_message_makes_a_customer_and_says_so_once(database: MemoryDatabase) -> None:
    effects = await put(database, message(TEL, number=1), message(TEL, number=2))
    [published] = effects.publishes
    assert isinstance(published.event, CustomerIdentified)
    assert published.event.data.customer_id == customer_id(TEL) == published.event.partitionkey
    assert published.event.data.contact_point == TEL
    assert (await put(database, message(TEL, number=3))).publishes == []


async def test_an_entry_keeps_what_happened_where_and_when(database: MemoryDatabase) -> None:
    written = message(TEL, text="Živjo", time=at(-5))
    await put(database, written)
    [entry] = map(store.entry_from, database.collections["timeline"].values())
    assert entry.entry_id == written.id
    assert entry.customer_id == customer_id(TEL)
    assert (entry.kind, entry.channel) == ("message.received", "sms")
    assert (entry.occurred_at, entry.recorded_at) == (at(-5), NOON)
    assert entry.received_at == written.data.received_at
    assert entry.conversation_id == written.data.conversation_id
    assert entry.data["text"] == "Živjo"
    assert "conversation_id" not in entry.data, "said once is enough"


async def test_a_decision_brings_its_case_to_the_timeline(database: MemoryDatabase) -> None:
    await put(database, case_opened(TEL), clock_warned(TEL, due=at(20), time=at(15)))
    entries = [store.entry_from(each) for each in database.collections["timeline"].values()]
    assert [entry.kind for entry in entries] == ["case.opened", "clock.warned"]
    assert {entry.case_reference for entry in entries} == {"7KF-M3X-QPW"}
    assert entries[1].data["elapsed_share"] == 0.75


async def test_a_decision_is_no_evidence_that_addresses_belong_together(
    database: MemoryDatabase,
) -> None:
    effects = await put(database, case_opened(TEL, EMAIL))
    assert "links" not in database.collections
    assert len(effects.publishes) == 1


async def test_a_record_links_all_its_contact_points_under_the_smallest_id(
    database: MemoryDatabase,
) -> None:
    await put(database, message(TEL), message(EMAIL))
    effects = await put(database, record(EMAIL, TEL, WHATSAPP, name="Ana Novak"))
    smallest = min(map(customer_id, (TEL, EMAIL, WHATSAPP)))
    linked = [each.event for each in effects.publishes if isinstance(each.event, CustomersLinked)]
    assert [event.data.customer_id for event in linked] == [smallest]
    assert set(linked[0].data.contact_points) == {TEL, EMAIL, WHATSAPP}
    assert {smallest, *linked[0].data.linked_ids} == set(map(customer_id, (TEL, EMAIL, WHATSAPP)))
    for point in (TEL, EMAIL, WHATSAPP):
        found = await store.find_customer(database, customer_id(point))
        assert found is not None and found.customer_id == smallest
        assert found.name is not None and found.name.value == "Ana Novak"


async def test_entries_keep_their_first_customer_id_after_a_link(database: MemoryDatabase) -> None:
    await put(database, message(TEL, number=1), message(EMAIL, number=2))
    before = {key: each["customer_id"] for key, each in database.collections["timeline"].items()}
    await put(database, record(EMAIL, TEL))
    after = database.collections["timeline"]
    assert {key: after[key]["customer_id"] for key in before} == before
    person = await store.find_customer(database, customer_id(EMAIL))
    assert person is not None
    assert len(await store.read_timeline(database, person.members, None, 0)) == 3


async def test_a_provider_that_names_two_addresses_links_them(database: MemoryDatabase) -> None:
    await put(database, message(WHATSAPP, TEL))
    [link] = database.collections["links"].values()
    assert (link["kind"], link["parked"]) == ("provider", False)
    assert set(link["contact_points"]) == {WHATSAPP, TEL}


async def test_a_changed_address_stays_the_same_person(database: MemoryDatabase) -> None:
    await put(database, message(TEL), changed(TEL, "tel:+38641999999", time=at(1)))
    person = await store.find_customer(database, customer_id("tel:+38641999999"))
    assert person is not None and set(person.contact_points) == {TEL, "tel:+38641999999"}


async def test_a_record_outranks_a_later_display_name(database: MemoryDatabase) -> None:
    await put(database, record(TEL, name="Ana Novak"), message(TEL, name="anči ✨", time=at(90)))
    person = await store.find_customer(database, customer_id(TEL))
    assert person is not None and person.name is not None
    assert person.name.value == "Ana Novak"


async def test_a_conversation_does_not_rewrite_the_customer_with_every_message(
    database: MemoryDatabase,
) -> None:
    first = await put(database, message(TEL, name="Ana", number=1))
    soon = await put(database, message(TEL, name="Ana", number=2, time=at(4)))
    later = await put(database, message(TEL, name="Ana", number=3, time=at(11)))
    saves = [
        sum(write.collection == "customers" for write in effects.writes)
        for effects in (first, soon, later)
    ]
    assert saves == [1, 0, 1]


async def test_an_unknown_type_goes_on_the_timeline_of_whom_it_names(
    database: MemoryDatabase,
) -> None:
    data = {"contact_points": [TEL, EMAIL], "parcel": {"weight": 10**30, "no\x00name": 1}}
    await put(database, opaque(data), opaque({"about": {"contact_points": [EMAIL]}}))
    entries = [store.entry_from(each) for each in database.collections["timeline"].values()]
    assert [entry.customer_id for entry in entries] == [customer_id(TEL), customer_id(EMAIL)]
    assert entries[0].opaque and entries[0].kind == "throughline.parcel.lost.v1"
    assert entries[0].data == data, "kept whole, also what BSON has no room for"
    assert "links" not in database.collections, "we cannot know what its list means"


@pytest.mark.parametrize(
    "data",
    [None, {}, {"contact_points": []}, {"contact_points": "tel"}, {"about": ["tel:+1"]},
     {"contact_points": [7]}, {"contact_points": ["no scheme"]}],
)  # fmt: skip
async def test_an_unknown_type_that_names_nobody_is_counted_and_skipped(
    database: MemoryDatabase, data: Any
) -> None:
    effects = await put(database, opaque(data))
    assert effects.writes == []
    assert counts(effects, "opaque_events_skipped_total") == 1


async def test_what_a_provider_sent_besides_is_kept_even_if_bson_has_no_room_for_it(
    database: MemoryDatabase,
) -> None:
    await put(database, message(TEL, raw={"big": 2**70, "a\x00b": [1]}))
    [document] = database.collections["timeline"].values()
    assert isinstance(document["data"]["raw"], str)
    assert store.entry_from(document).data["raw"] == {"big": 2**70, "a\x00b": [1]}


async def test_a_switchboard_is_not_one_person(database: MemoryDatabase) -> None:
    points = [f"email:p{number}@example.com" for number in range(60)]
    await put(database, record(*points[:40], name=None))
    effects = await put(database, record(points[0], *points[40:], name=None))
    person = await store.find_customer(database, customer_id(points[0]))
    assert person is not None and len(person.contact_points) == 50
    assert counts(effects, "links_parked_total") == 10
    assert len(database.collections["links"]) == 59
    again = await put(database, record(points[0], *points[40:], name=None))
    assert counts(again, "links_parked_total") == 0


async def test_a_time_finer_than_milliseconds_is_cut_as_the_store_would() -> None:
    fine = message(TEL).model_copy(update={"time": at(0).replace(microsecond=123_456)})
    assert isinstance(fine, MessageReceived)
    effects = processor().decide(received(fine), State(), NOON)
    times = [
        write.document["occurred_at"] for write in effects.writes if write.collection == "timeline"
    ]
    assert times == [at(0).replace(microsecond=123_000)]
