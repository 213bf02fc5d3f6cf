"""The real services: once in order, doubled and shuffled, and all over again, in the same state."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.local.stack import Stack
from shared.clock import to_milliseconds
from shared.events import Event
from shared.events.contact import MessageSent
from shared.events.contact_data import MessageSentData
from shared.events.customers import CustomerRecorded, CustomerRecordedData
from tests.support.builders import a_message_received
from tests.support.deployment import Deployment, Running, eventually
from tests.support.kafka import ends, publish

SERVICES = ("routing", "sla", "profile")
CUSTOMERS = 9
KEPT = {
    "routing": ("cases", "work_items"),
    "sla": ("clocks",),
    "profile": ("customers", "links", "timeline"),
}
READ = {
    "routing-intake": ("contact-events",),
    "routing-matcher": ("routing-commands",),
    "sla": ("contact-events", "routing-events"),
    "profile": ("contact-events", "customer-records", "routing-events", "sla-events"),
}
NOW = to_milliseconds(datetime.now(UTC)) - timedelta(minutes=1)


async def test_doubled_and_shuffled_events_give_the_same_state_as_once_in_order(
    stack: Stack, tmp_path: Path
) -> None:
    in_order = await _state_after(stack, tmp_path, [_story()])
    shuffled = await _state_after(stack, tmp_path, [_shuffled(_story() * 2), _shuffled(_story())])
    assert in_order == shuffled
    assert {collection: len(found) for collection, found in in_order.items()} == {
        "cases": 2 * CUSTOMERS,
        "work_items": 2 * CUSTOMERS,
        "clocks": 2 * CUSTOMERS,
        "customers": 3 * CUSTOMERS,
        "links": 2 * CUSTOMERS,
        "timeline": len(in_order["timeline"]),
    }


@pytest.mark.timeout(240)
async def test_replaying_every_topic_from_its_start_changes_nothing(
    stack: Stack, tmp_path: Path
) -> None:
    deployment = await _deployed(stack, tmp_path)
    try:
        await _run_until_quiet(deployment, [_story()])
        before = await _dump(deployment)
        for service in SERVICES:
            database = deployment.database(service)
            await database.raw["positions"].delete_many({})
            database.close()
        await _run_until_quiet(deployment, [])
        assert await _dump(deployment) == before
    finally:
        await deployment.close()


def _story() -> list[Event]:
    """Each customer writes by e-mail and by messenger, is on record, and is answered on one."""
    events: list[Event] = []
    for n in range(CUSTOMERS):
        mail, number, handle = f"email:c{n}@example.com", f"tel:+3864000000{n}", f"whatsapp:p/{n}"
        by_mail, by_messenger = f"conv_mail{n}", f"conv_wa{n}"
        at = NOW + timedelta(milliseconds=n)
        for m in range(2):
            events += [
                a_message_received(
                    by_mail,
                    event_id=f"mail{n}.{m}",
                    time=at,
                    contact_points=(mail,),
                    channel="email",
                ),
                a_message_received(
                    by_messenger,
                    event_id=f"wa{n}.{m}",
                    time=at + timedelta(seconds=m),
                    contact_points=(handle, number),
                    channel="messaging",
                ),
            ]
        events += [_answer(by_messenger, n, at + timedelta(seconds=5)), _record(n, mail, number)]
    return events


def _answer(conversation: str, n: int, at: datetime) -> MessageSent:
    asked = a_message_received(conversation, event_id=f"answer{n}", time=at, channel="messaging")
    fields = {**asked.data.model_dump(), "sender": "agent", "agent_id": "agent-1"}
    fields["contact_points"] = (f"whatsapp:p/{n}",)
    data = MessageSentData.model_validate(fields)
    envelope = {**asked.model_dump(exclude={"data", "type"}), "data": data}
    return MessageSent.model_validate(envelope)


def _record(n: int, mail: str, number: str) -> CustomerRecorded:
    return CustomerRecorded(
        id=f"record{n}",
        source="/tests",
        time=NOW,
        partitionkey=mail,
        data=CustomerRecordedData(
            contact_points=(mail, number),
            name=f"Customer {n}",
            recorded_at=NOW,
            received_at=NOW,
        ),
    )


def _shuffled(events: Sequence[Event]) -> list[Event]:
    """Shuffle between keys; what has one key keeps its order, as on one partition."""
    lines: dict[str, list[Event]] = {}
    for event in events:
        lines.setdefault(event.partitionkey, []).append(event)
    dice = random.Random(7)
    mixed = []
    while lines:
        key = dice.choice(sorted(lines))
        mixed.append(lines[key].pop(0))
        if not lines[key]:
            del lines[key]
    return mixed


async def _state_after(
    stack: Stack, folder: Path, rounds: Sequence[Sequence[Event]]
) -> dict[str, list[Any]]:
    deployment = await _deployed(stack, folder)
    try:
        await _run_until_quiet(deployment, rounds)
        return await _dump(deployment)
    finally:
        await deployment.close()


async def _deployed(stack: Stack, folder: Path) -> Deployment:
    deployment = Deployment(stack.kafka_bootstrap, stack.mongodb_uri, folder)
    await deployment.create_topics()
    return deployment


async def _run_until_quiet(deployment: Deployment, rounds: Sequence[Sequence[Event]]) -> None:
    running: list[Running] = [
        deployment.start(f"deploy.cli {service}", service=service, THROUGHLINE_SESSION_TIMEOUT="10")
        for service in SERVICES
    ]
    for events in rounds:
        await publish(deployment.kafka, deployment.prefix, events)
    await eventually(
        lambda: _is_quiet(deployment), "everything is read and published", seconds=90.0, every=0.5
    )
    for process in running:
        assert await process.stop() == 0, process.log.read_text()


async def _is_quiet(deployment: Deployment) -> bool:
    topics = sorted({topic for topics in READ.values() for topic in topics})
    at = await ends(deployment.kafka, deployment.prefix, topics)
    positions: dict[str, int] = {}
    for service in SERVICES:
        database = deployment.database(service)
        try:
            if await database.count("outbox", {}):
                return False
            for document in await database.find("positions", {}):
                positions[document["_id"]] = document["offset"]
        finally:
            database.close()
    return all(
        positions.get(f"{processor}/{topic}/{partition}", -2) == end - 1
        for processor, read in READ.items()
        for (topic, partition), end in at.items()
        if topic in read
    ) and at == await ends(deployment.kafka, deployment.prefix, topics)


async def _dump(deployment: Deployment) -> dict[str, list[Any]]:
    """Return all that is kept, without when it was recorded.

    Whether sla knew the case already when it started the clock is a race between two topics, not
    a matter of the events' order; so the case is left out of what its events say.
    """
    dump = {}
    for service, collections in KEPT.items():
        database = deployment.database(service)
        for collection in collections:
            found = await database.find(collection, {}, sort=[("_id", 1)])
            dump[collection] = [_comparable(one) for one in found]
        database.close()
    return dump


def _comparable(document: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in document.items() if name != "recorded_at"}
    if str(document.get("kind")).startswith("clock."):
        for name in ("case_id", "case_reference", "data"):
            kept.pop(name, None)
    return kept
