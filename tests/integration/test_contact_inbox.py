"""The contact inbox on a real Kafka and MongoDB: taken once, refused with a reason, never stuck."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shared.events.customers import CustomerRecorded
from shared.streams.limits import _IN_A_ROW
from tests.support.builders_ingest import message_event
from tests.support.deployment import Deployment, Running, eventually
from tests.support.kafka import publish_raw, read_events, read_records

POLICY = """
version: 1
inbox:
  - source: /demo-portal*
    integrator: demo-portal
    customer_records: true
    channel_accounts: ["demo-portal/main"]
"""
STRUCTURED = [("content-type", b"application/cloudevents+json")]


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """A policy folder whose inbox takes the demo portal's events."""
    (tmp_path / "channels.yaml").write_text(POLICY)
    return str(tmp_path)


def start(deployment: Deployment, policy: str, **more: str) -> Running:
    given = {"THROUGHLINE_POLICY": policy, "THROUGHLINE_INGEST_SMTP_PORT": "0", **more}
    return deployment.start("deploy.cli ingest", service="ingest", **given)


async def write(
    deployment: Deployment, value: Any, headers: Any = (), partition: int | None = 0
) -> None:
    body = value if isinstance(value, bytes | None) else json.dumps(value).encode()
    topic = f"{deployment.prefix}contact-inbox"
    await publish_raw(deployment.kafka, topic, [body], headers=headers, partition=partition)


def binary(event: dict[str, Any]) -> list[tuple[str, bytes | None]]:
    attributes = {name: value for name, value in event.items() if name != "data"}
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    return [*headers, ("content-type", b"application/json")]


async def published(deployment: Deployment, count: int, topic: str = "contact-events") -> list[Any]:
    """Return what is on a topic once `count` different events are."""

    async def enough() -> list[Any]:
        events = await read_events(deployment.kafka, deployment.prefix, topic)
        return events if len({event.id for event in events}) >= count else []

    return await eventually(enough, f"{count} events are on {topic}", every=0.3)


async def test_both_modes_and_customer_records_come_in_stamped_by_kafka(
    deployment: Deployment, policy: str
) -> None:
    in_binary = message_event(id="b", source="/demo-portal/eu")
    await write(deployment, message_event(id="s"), STRUCTURED)
    await write(deployment, in_binary["data"], binary(in_binary))
    strange = [("trace", b"\xff\xfe"), ("empty", None), ("ce_subject", None)]
    await write(deployment, message_event(id="h"), [*STRUCTURED, *strange])
    data = {
        "contact_points": ["email:Ana.Kovac@example.si"],
        "purchases": [{"purchase_id": "1", "what": "Box", "bought_at": "2026-10-01T10:00:00Z"}],
        "recorded_at": "2026-10-01T10:00:00Z",
    }
    await write(deployment, message_event(type=CustomerRecorded.wire_type, data=data))

    running = start(deployment, policy)
    events = await published(deployment, 3)
    assert [event.source for event in events] == ["/demo-portal", "/demo-portal/eu", "/demo-portal"]
    inbox = await read_records(deployment.kafka, f"{deployment.prefix}contact-inbox")
    kept = [record.timestamp for record in inbox[:3]]
    assert [int(event.data.received_at.timestamp() * 1000) for event in events] == kept
    assert all(record.timestamp_type == 1 for record in inbox)  # the broker's, not the writer's
    (customer,) = await published(deployment, 1, "customer-records")
    assert customer.partitionkey == "email:ana.kovac@example.si"
    assert await running.stop() == 0, running.log.read_text()


async def test_garbage_becomes_dead_letters_and_never_stops_what_follows(
    deployment: Deployment, policy: str
) -> None:
    garbage = {
        "malformed: The record has no value.": (None, ()),
        "malformed: The body is not valid JSON.": (b"\xff", ()),
        "malformed: A header of the CloudEvent is not UTF-8.": (b"{}", [("ce_id", b"\xff")]),
        "unknown-source: The event's source is not listed under inbox in channels.yaml.": (
            message_event(source="/somebody-else"),
            STRUCTURED,
        ),
    }
    running = start(deployment, policy)
    for value, headers in garbage.values():
        await write(deployment, value, headers)
    flood = [b"garbage %d" % n for n in range(2 * _IN_A_ROW)]
    topic = f"{deployment.prefix}contact-inbox"
    await publish_raw(deployment.kafka, topic, flood, partition=0)
    await write(deployment, message_event(id="after"))

    (event,) = await published(deployment, 1)
    assert event.data.provider_event_id == "after"
    letters = await published(deployment, len(garbage) + len(flood), "dead-letters")
    errors = Counter(letter.data.error.removeprefix("Refused: ") for letter in letters)
    assert set(errors) == set(garbage)
    assert errors["malformed: The body is not valid JSON."] == 1 + len(flood)
    assert {letter.data.topic for letter in letters} == {"contact-inbox"}
    assert {letter.data.body for letter in letters} >= {None, b"\xff", *flood}
    assert await running.metric("dead_letters_total") == len(letters)
    assert await running.stop() == 0, running.log.read_text()


@pytest.mark.parametrize("label", ["position-advanced", "committed", "published"])
async def test_killed_and_started_again_every_event_is_published_with_one_id(
    deployment: Deployment, policy: str, label: str
) -> None:
    for n in range(6):
        await write(deployment, message_event(id=f"{n % 3}"), STRUCTURED, partition=n % 2)
    await write(deployment, b"garbage")

    crashed = start(deployment, policy, THROUGHLINE_CRASH_AT=f"{label}:1")
    assert await crashed.ended() == 137, crashed.log.read_text()
    restarted = start(deployment, policy)
    events = await published(deployment, 3)
    (letter,) = {event.id for event in await published(deployment, 1, "dead-letters")}
    database = deployment.database("ingest")

    async def all_applied() -> bool:
        mine = {"_id": {"$regex": "^ingest-inbox/"}, "offset": {"$gte": 0}}
        positions = await database.find("positions", mine)
        return {p["_id"]: p["offset"] for p in positions} == {
            "ingest-inbox/contact-inbox/0": 3,
            "ingest-inbox/contact-inbox/1": 2,
        } and not await database.count("outbox", {})

    await eventually(all_applied, "every record is applied and the outbox is empty")
    database.close()
    assert letter
    again = await read_events(deployment.kafka, deployment.prefix, "contact-events")
    assert len({event.id for event in again}) == 3
    assert Counter(e.data.provider_event_id for e in events).keys() == {"0", "1", "2"}
    assert await restarted.stop() == 0, restarted.log.read_text()
