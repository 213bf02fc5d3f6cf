"""Intercom: parts of conversations, whose they are, and which are not the customer's."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.intercom import Intercom
from services.ingest.adapters.request import RawRequest
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request

ACCOUNT = ACCOUNTS["intercom"]
ANA = "intercom:a1b2c3d4/64b0c2f1a1b2c3d4e5f60718"


def only(name: str) -> Any:
    """Return the one event of a payload."""
    (event,) = parse("intercom", name).events
    return event


def test_the_client_secret_signs_the_body_with_sha1() -> None:
    body = payload("intercom", "ping")
    secret = ACCOUNT.secrets["client_secret"][0]
    proof = "sha1=" + hmac.new(secret, body, hashlib.sha1).hexdigest()
    Intercom().verify(RawRequest(body, (("x-hub-signature", proof.encode()),)), ACCOUNT, NOW)


def test_a_reply_is_a_message_of_its_author() -> None:
    event = only("user-replied")
    assert event.type == "throughline.message.received.v1"
    assert (event.data.message_id, event.data.text) == (
        "9100001",
        "It should have come\non Monday.",
    )
    assert event.data.contact_points == (ANA,)
    assert event.data.reply_to == "215468900000001"
    assert event.time == datetime.fromtimestamp(1793696380, UTC)


def test_an_address_somebody_typed_links_nobody() -> None:
    assert not any("ana.kovac" in point for point in only("user-replied").data.contact_points)


def test_a_conversation_opens_with_its_source() -> None:
    event = only("conversation-created")
    assert (event.data.message_id, event.data.text) == ("403918254", "Where is my parcel?")
    assert event.data.conversation_id == only("user-replied").data.conversation_id
    by_mail = only("conversation-by-email")
    assert (by_mail.data.channel, by_mail.data.subject) == ("email", "Parcel")


def test_since_version_2_15_bodies_are_plain_text() -> None:
    body = payload("intercom", "user-replied").replace(
        b"<p>It should have come<br>on Monday.</p>", b"is 1 < 2 &amp; 3 > 2?"
    )
    (event,) = Intercom().parse(request("intercom", body), ACCOUNT, NOW, IDS).events
    assert event.data.text == "is 1 < 2 &amp; 3 > 2?"


def test_several_parts_are_several_messages() -> None:
    first, second = parse("intercom", "two-replies").events
    assert (first.data.text, second.data.text) == ("Hello?", "Anybody?")
    assert first.id != second.id


def test_a_broken_part_is_a_notification_of_its_own() -> None:
    parsed = parse("intercom", "batch-with-one-broken")
    (part,) = parsed.broken
    item = json.loads(part.body)["data"]["item"]
    assert len(item["conversation_parts"]["conversation_parts"]) == 1
    assert item["id"] == "215468900000001"


@pytest.mark.parametrize(
    ("name", "sender", "agent"),
    [("admin-replied", "agent", "3156780"), ("operator-replied", "bot", None)],
)
def test_what_the_desk_sends_is_an_echo(name: str, sender: str, agent: str | None) -> None:
    event = only(name)
    assert event.type == "throughline.message.sent.v1"
    assert (event.data.sender, event.data.echo, event.data.agent_id) == (sender, True, agent)
    assert event.data.contact_points == (ANA,)


def test_older_versions_name_the_customer_as_user() -> None:
    assert only("older-version").data.contact_points == (ANA,)


def test_a_redacted_part_is_a_deleted_message() -> None:
    event = only("part-redacted")
    assert event.type == "throughline.message.deleted.v1"
    assert event.data.message_id == only("user-replied").data.message_id


def test_a_rating_is_a_form() -> None:
    data = only("rated").data
    assert data.form == "conversation rating"
    assert [(f.name, f.value) for f in data.fields] == [
        ("rating", "5"),
        ("remark", "Quick and kind"),
    ]


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("ping", "ping"),
        ("closed", "conversation.admin.closed"),
        ("admin-noted", "conversation.admin.noted"),
    ],
)
def test_what_concerns_no_customer_is_ignored_by_name(name: str, ignored: str) -> None:
    parsed = parse("intercom", name)
    assert (parsed.events, parsed.ignored) == ((), (ignored,))


def test_an_unknown_topic_of_a_conversation_is_kept_whole() -> None:
    data = only("unknown-topic").data
    assert data.kind == "conversation.teleported"
    assert data.raw["topic"] == "conversation.teleported"


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"topic": "conversation.x"}'])
def test_a_body_that_is_no_notification_makes_no_sense(body: bytes) -> None:
    with pytest.raises(Unparseable):
        Intercom().parse(request("intercom", body), ACCOUNT, NOW, IDS)
