"""Chatwoot: messages of every inbox, and which addresses are worth what."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.chatwoot import Chatwoot
from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import RawRequest, SignatureRefused
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request

ACCOUNT = ACCOUNTS["chatwoot"]
ANA = "chatwoot:1/77"


def only(name: str) -> Any:
    """Return the one event of a payload."""
    (event,) = parse("chatwoot", name).events
    return event


def changed(name: str, **fields: Any) -> Any:
    """Return what a payload gives with other fields."""
    body = json.dumps({**json.loads(payload("chatwoot", name)), **fields}).encode()
    return Chatwoot().parse(request("chatwoot", body), ACCOUNT, NOW, IDS)


def test_time_dot_body_is_what_is_signed() -> None:
    time, body = str(int(NOW.timestamp())).encode(), payload("chatwoot", "incoming")
    secret = ACCOUNT.secrets["webhook_secret"][1]
    proof = "sha256=" + hmac.new(secret, time + b"." + body, hashlib.sha256).hexdigest()
    headers = (("x-chatwoot-signature", proof.encode()), ("x-chatwoot-timestamp", time))
    Chatwoot().verify(RawRequest(body, headers), ACCOUNT, NOW)


def test_a_version_that_signs_nothing_is_refused() -> None:
    with pytest.raises(SignatureRefused) as refused:
        Chatwoot().verify(request("chatwoot", payload("chatwoot", "incoming")), ACCOUNT, NOW)
    assert refused.value.reason == "missing"


def test_an_incoming_message_is_the_contacts() -> None:
    event = only("incoming")
    assert event.type == "throughline.message.received.v1"
    assert (event.data.message_id, event.data.text) == ("101", "Where is my parcel?")
    assert (event.data.channel, event.data.reply_to) == ("chat", "12")
    assert event.time == datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "channel", "points"),
    [
        ("incoming", "chat", (ANA,)),
        ("incoming-whatsapp", "messaging", (ANA, "tel:+38640123456")),
        ("incoming-email", "email", (ANA, "email:ana.kovac@example.si")),
    ],
)
def test_an_address_counts_only_where_the_message_came_over_it(
    name: str, channel: str, points: tuple[str, ...]
) -> None:
    data = only(name).data
    assert (data.channel, data.contact_points) == (channel, points)


def test_an_impossible_number_loses_no_message() -> None:
    sender = {"id": 77, "name": "Ana", "phone_number": "12", "type": "contact"}
    (event,) = changed("incoming-whatsapp", sender=sender).events
    assert event.data.contact_points == (ANA,)


@pytest.mark.parametrize(
    "written", ["2026-11-03 09:00:00 UTC", "2026-11-03T09:00:00.000Z", 1793696400]
)
def test_times_are_read_as_every_version_writes_them(written: Any) -> None:
    (event,) = changed("incoming", created_at=written).events
    assert event.data.occurred_at is not None
    assert event.time == datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "sender", "agent"),
    [("outgoing", "agent", "4"), ("outgoing-bot", "bot", None), ("template", "system", None)],
)
def test_what_goes_out_is_an_echo_for_the_contact(
    name: str, sender: str, agent: str | None
) -> None:
    event = only(name)
    assert event.type == "throughline.message.sent.v1"
    assert (event.data.sender, event.data.echo, event.data.agent_id) == (sender, True, agent)
    assert event.data.contact_points == (ANA,)
    assert event.data.conversation_id == only("incoming").data.conversation_id


def test_an_attachment_is_a_reference_with_its_kind() -> None:
    data = only("attachment").data
    assert (data.kind, data.text) == ("image", None)
    assert (data.attachments[0].size, data.attachments[0].media_type) == (20480, "image/*")


def test_what_became_of_a_message() -> None:
    deleted, read = only("deleted"), only("read")
    assert deleted.type == "throughline.message.deleted.v1"
    assert deleted.data.message_id == only("incoming").data.message_id
    assert (read.data.message_id, read.data.status) == ("105", "read")
    assert only("reply").data.in_reply_to == "105"


def test_a_form_in_the_widget_has_its_answers() -> None:
    data = only("submitted").data
    assert [(f.name, f.value) for f in data.fields] == [("order", "4711"), ("reason", "damaged")]
    (choice,) = changed(
        "submitted",
        content_type="input_select",
        content_attributes={"submitted_values": [{"title": "Returns", "value": "returns"}]},
    ).events
    assert [(f.name, f.value) for f in choice.data.fields] == [("Returns", "returns")]


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("typing", "conversation_typing_on"),
        ("status-changed", "conversation_status_changed"),
        ("private-note", "a private note"),
        ("updated-otherwise", "message_updated"),
    ],
)
def test_what_concerns_no_customer_is_ignored_by_name(name: str, ignored: str) -> None:
    parsed = parse("chatwoot", name)
    assert (parsed.events, parsed.ignored) == ((), (ignored,))


def test_activity_is_no_message() -> None:
    assert changed("incoming", message_type="activity").ignored == ("activity",)


def test_an_unknown_event_is_kept_whole() -> None:
    data = only("unknown-event").data
    assert (data.kind, data.raw["id"]) == ("message_teleported", 112)


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"event": null}'])
def test_a_body_without_an_event_makes_no_sense(body: bytes) -> None:
    with pytest.raises(Unparseable):
        Chatwoot().parse(request("chatwoot", body), ACCOUNT, NOW, IDS)
