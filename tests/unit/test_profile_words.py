"""Entries in plain words."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.profile.domain.timeline import Entry
from services.profile.pages import words as module
from services.profile.pages.words import spoken, words
from shared.events.topics import CONTACT_TOPIC, CUSTOMER_RECORDS_TOPIC, ROUTING_TOPIC, SLA_TOPIC
from tests.support.builders_profile import NOON, at

UTC = ZoneInfo("UTC")
NBSP = "\N{NO-BREAK SPACE}"


def entry(_kind: str, channel: str = "voice", **data: Any) -> Entry:
    return Entry("evt_1", "cust_1", _kind, NOON, NOON, data, channel=channel)


def clock(kind: str, **more: Any) -> Entry:
    return entry(kind, **({"target": "first-response", "due_at": at(120)} | more))


@pytest.mark.parametrize(
    ("told", "title", "tone"),
    [
        (clock("clock.started"), "We promised to answer by 14:00", "plain"),
        (
            clock("clock.started", target="refund-paid"),
            "We promised “refund paid” by 14:00",
            "plain",
        ),
        (
            clock("clock.warned", elapsed_share=0.75),
            f"The promise to answer by 14:00 is at risk: 75{NBSP}% of the time is gone",
            "risk",
        ),
        (
            clock("clock.warned", elapsed_share=1.5, late=True),
            "The promise to answer by 14:00 is at risk",
            "risk",
        ),
        (clock("clock.breached"), "The promise to answer by 14:00 was broken", "bad"),
        (
            clock("clock.breached", due_at=at(120) - timedelta(days=1)),
            "The promise to answer by 14:00 on Tuesday, 3 March was broken",
            "bad",
        ),
        (
            clock("clock.met", stopped_at=at(75)),
            f"The promise to answer by 14:00 was kept, 45{NBSP}min before it was due",
            "good",
        ),
        (
            clock("clock.met", stopped_at=at(120), corrects_breach=True),
            "The promise to answer by 14:00 was kept after all, just in time",
            "good",
        ),
        (entry("interaction.started", direction="inbound"), "Began a call", "plain"),
        (
            entry("interaction.ended", reason="abandoned"),
            "Gave up before the call was answered",
            "risk",
        ),
        (
            entry("interaction.ended", "chat", talk_seconds=200.0),
            f"The chat ended after 3{NBSP}min 20{NBSP}s",
            "plain",
        ),
        (
            entry("offer.expired", agent_name="Maja"),
            "Maja did not answer the offer in time",
            "risk",
        ),
        (entry("delivery.changed", status="failed"), "Our message could not be delivered", "bad"),
        (entry("message.received", "email", kind="image"), "Sent an image by e-mail", "plain"),
        (entry("message.received", "pigeon-post"), "Wrote by pigeon post", "plain"),
        (entry("parcel.lost"), "Something this version has no words for: parcel.lost", "plain"),
    ],
)
def test_an_entry_reads_as_a_sentence(told: Entry, title: str, tone: str) -> None:
    said = words(told, UTC)
    assert (said.title, said.tone) == (title, tone)


def test_an_unknown_type_is_never_read_as_a_known_one() -> None:
    told = replace(entry("message.received"), opaque=True)
    assert words(told, UTC).title.startswith("Something this version has no words for")


def test_every_type_that_can_come_has_words() -> None:
    topics = (CONTACT_TOPIC, CUSTOMER_RECORDS_TOPIC, ROUTING_TOPIC, SLA_TOPIC)
    kinds = {
        event.wire_type.removeprefix("throughline.").removesuffix(".v1")
        for topic in topics
        for event in topic.events
    }
    assert kinds == set(module._SAY)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.6, "1 min"), (3_600, "1 h"), (90_061, "1 d 1 h"), (-5, "0 s")],
)
def test_a_length_of_time_is_said_in_two_units(seconds: float, said: str) -> None:
    assert spoken(timedelta(seconds=seconds)).replace(NBSP, " ") == said


def test_a_customer_record_tells_purchases_and_what_is_verified() -> None:
    record = entry(
        "customer.recorded",
        fields=[{"name": "size", "value": "M"}],
        purchases=[
            {"purchase_id": "A-1", "what": "Box", "bought_at": NOON, "amount": "39.90 EUR"},
            {"purchase_id": "A-2", "what": "Lid", "bought_at": NOON},
        ],
        verified=["email:ana.novak@example.com"],
    )
    assert words(record, UTC).lines == (
        "size: M",
        "bought Box, 39.90 EUR, 4 March 2026 (A-1)",
        "bought Lid, 4 March 2026 (A-2)",
        "verified: ana.novak@example.com",
    )
