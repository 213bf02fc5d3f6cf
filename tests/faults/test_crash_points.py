"""Killed at any point and started again: every effect once, every event published at least once."""

from collections import Counter

import pytest

from shared.streams.crash import LABELS
from tests.support.builders import a_message_received
from tests.support.deployment import Deployment, eventually
from tests.support.kafka import publish, read_events

CONVERSATIONS = 6
EVENTS = 24


@pytest.mark.parametrize("label", LABELS)
async def test_a_process_killed_here_loses_and_doubles_nothing(
    deployment: Deployment, label: str
) -> None:
    events = [
        a_message_received(f"conv_{n % CONVERSATIONS}", event_id=f"evt_{n}") for n in range(EVENTS)
    ]
    before, after = events[: EVENTS // 2], events[EVENTS // 2 :]
    await publish(deployment.kafka, deployment.prefix, before)
    if label == "leftovers-published":
        await _leave_an_outbox_behind(deployment)

    crashed = deployment.start("tests.support.ledger", THROUGHLINE_CRASH_AT=f"{label}:1")
    assert await crashed.ended() == 137, crashed.log.read_text()

    await publish(
        deployment.kafka, deployment.prefix, after
    )  # wherever it died, there is work left
    restarted = deployment.start("tests.support.ledger")
    database = deployment.database("ledger")
    try:
        await eventually(lambda: _all_noted(database), "every event and timer is in its page")
        await eventually(lambda: _outbox_is_empty(database), "the outbox is empty")
        pages = await database.find("pages", {})
    finally:
        database.close()
    assert await restarted.stop() == 0, restarted.log.read_text()

    applied = Counter({k: v for page in pages for k, v in page["applied"].items()})
    fired = Counter({k: v for page in pages for k, v in page["fired"].items()})
    assert applied == Counter({event.id: 1 for event in events})
    assert fired == Counter({event.id: 1 for event in events})
    published = await read_events(deployment.kafka, deployment.prefix, "routing-events")
    causes = Counter(event.causationid for event in published)
    assert set(causes) == {event.id for event in events}
    assert len({event.id for event in published}) == 2 * EVENTS  # one for the event, one its timer


async def _leave_an_outbox_behind(deployment: Deployment) -> None:
    first = deployment.start("tests.support.ledger", THROUGHLINE_CRASH_AT="committed:1")
    assert await first.ended() == 137, first.log.read_text()


async def _all_noted(database) -> bool:
    pages = await database.find("pages", {})
    return (
        sum(len(page["applied"]) for page in pages) == EVENTS
        and sum(len(page["fired"]) for page in pages) == EVENTS
    )


async def _outbox_is_empty(database) -> bool:
    return await database.count("outbox", {}) == 0
