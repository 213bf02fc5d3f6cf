"""Events twice, in another order, and all over again: the same state as once in order."""

import random

from shared.events import Event
from shared.mongo import Database
from tests.support.books import assert_every_effect_once, messages, pages
from tests.support.deployment import Deployment, eventually
from tests.support.kafka import publish

EVENTS = 40


async def test_duplicates_in_any_order_between_conversations_change_nothing(
    deployment: Deployment,
) -> None:
    events = messages(EVENTS)
    for _ in range(2):
        await publish(deployment.kafka, deployment.prefix, _shuffled_between(events * 2))
    first = deployment.start("tests.support.ledger")
    second = deployment.start("tests.support.ledger")
    await assert_every_effect_once(deployment, events)
    for process in (first, second):
        assert await process.stop() == 0, process.log.read_text()
    assert await _dump(deployment) == _once(events)


async def test_replaying_everything_from_the_start_changes_nothing(deployment: Deployment) -> None:
    events = messages(EVENTS)
    await publish(deployment.kafka, deployment.prefix, events)
    process = deployment.start("tests.support.ledger")
    await assert_every_effect_once(deployment, events)
    assert await process.stop() == 0, process.log.read_text()
    before = await _dump(deployment)

    database = deployment.database("ledger")
    try:
        await database.raw["positions"].delete_many({})
        process = deployment.start("tests.support.ledger")
        await eventually(lambda: _has_read(database, EVENTS), "everything was read again")
    finally:
        database.close()
    await assert_every_effect_once(deployment, events)
    assert await process.metric("records_handled_total") == EVENTS
    assert await process.stop() == 0, process.log.read_text()
    assert await _dump(deployment) == before == _once(events)


async def test_positions_deleted_under_a_running_owner_make_it_read_everything_again(
    deployment: Deployment,
) -> None:
    early, late = messages(EVENTS), messages(EVENTS, first=EVENTS)
    await publish(deployment.kafka, deployment.prefix, early)
    process = deployment.start("tests.support.ledger")
    await assert_every_effect_once(deployment, early)
    database = deployment.database("ledger")
    try:
        await database.raw["positions"].delete_many({})
        await publish(deployment.kafka, deployment.prefix, late)
        await eventually(lambda: _has_read(database, 2 * EVENTS), "everything was read again")
    finally:
        database.close()
    await assert_every_effect_once(deployment, early + late)
    assert await process.metric("fenced_writes_total") >= 1
    assert await process.stop() == 0, process.log.read_text()
    assert await _dump(deployment) == _once(early + late)


async def test_records_at_or_below_the_stored_position_are_skipped(deployment: Deployment) -> None:
    events = messages(EVENTS)
    await publish(deployment.kafka, deployment.prefix, events)
    process = deployment.start("tests.support.ledger")
    await assert_every_effect_once(deployment, events)
    assert await process.stop() == 0, process.log.read_text()
    writes = await _writes(deployment)

    restarted = deployment.start("tests.support.ledger")
    more = messages(1, first=EVENTS)
    await publish(deployment.kafka, deployment.prefix, more)
    await assert_every_effect_once(deployment, events + more)
    assert await restarted.metric("records_handled_total") == 1
    assert await restarted.stop() == 0, restarted.log.read_text()
    assert await _writes(deployment) == writes + 2  # the event and its timer


def _shuffled_between(events: list[Event]) -> list[Event]:
    """Shuffle conversations among each other; each stays in order, as Kafka keeps it."""
    chance = random.Random(7)
    waiting: dict[str, list[Event]] = {}
    for event in events:
        waiting.setdefault(event.partitionkey, []).append(event)
    shuffled = []
    while waiting:
        key = chance.choice(sorted(waiting))
        shuffled.append(waiting[key].pop(0))
        if not waiting[key]:
            del waiting[key]
    return shuffled


def _once(events: list[Event]) -> dict[str, object]:
    pages: dict[str, dict[str, dict[str, int]]] = {}
    for event in events:
        page = pages.setdefault(event.partitionkey, {"applied": {}, "fired": {}})
        page["applied"][event.id] = page["fired"][event.id] = 1
    return dict(pages)


async def _dump(deployment: Deployment) -> dict[str, object]:
    database = deployment.database("ledger")
    try:
        return await pages(database)
    finally:
        database.close()


async def _writes(deployment: Deployment) -> int:
    database = deployment.database("ledger")
    try:
        return sum(page["writes"] for page in await database.find("pages", {}))
    finally:
        database.close()


async def _has_read(database: Database, count: int) -> bool:
    found = await database.find("positions", {})
    return sum(position["offset"] + 1 for position in found) >= count
