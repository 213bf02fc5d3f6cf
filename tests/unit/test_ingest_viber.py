"""Viber: signatures, kinds of messages, subscriptions, and ids that hold for one bot."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.adapters.viber import Viber
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request

ACCOUNT = ACCOUNTS["viber"]
BODY = payload("viber", "text")
HEADER = "x-viber-content-signature"
ANA = "viber:main/01234567890A=="


def signature(secret: bytes = b"viber-auth-token", body: bytes = BODY) -> bytes:
    return hmac.new(secret, body, hashlib.sha256).hexdigest().encode()


def only(name: str) -> Any:
    """Return the one event of a fixture."""
    parsed = parse("viber", name)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def verify(*values: bytes, body: bytes = BODY) -> None:
    Viber().verify(RawRequest(body, tuple((HEADER, value) for value in values)), ACCOUNT, NOW)


@pytest.mark.parametrize("secret", [b"viber-auth-token", b"old-viber-token"])
def test_vibers_signature_is_accepted_with_any_active_token(secret: bytes) -> None:
    verify(signature(secret))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((), "missing"),
        ((signature(), signature()), "doubled"),
        ((signature().upper(),), "malformed"),
        ((signature()[:-2],), "malformed"),
        ((b"sha256=" + signature(),), "malformed"),
        ((signature(b"another"),), "wrong"),
        ((signature(body=BODY + b" "),), "wrong"),
    ],
)
def test_any_other_signature_is_refused(values: tuple[bytes, ...], reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(*values)
    assert refused.value.reason == reason


def test_a_message_tells_who_wrote_what_when_and_in_which_language() -> None:
    event = only("text")
    assert event.type == "throughline.message.received.v1"
    assert event.data.text == "Kdaj pride moj paket?"
    assert event.data.message_id == "4912661846655238145"
    assert event.data.contact_points == (ANA,)
    assert event.data.reply_to == "01234567890A=="
    assert (event.data.display_name, event.data.locale) == ("Ana Kovač", "sl")
    assert event.time == datetime(2025, 11, 3, 9, 0, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "kind", "text", "files"),
    [
        ("picture", "image", "The broken lid", [("https://dl.example.com/lid.jpg", "lid.jpg")]),
        ("video", "video", None, [("https://dl.example.com/lid.mp4", None)]),
        ("file", "document", None, [("https://dl.example.com/r.pdf", "račun.pdf")]),
        ("sticker", "sticker", None, [("https://dl.example.com/46105.png", None)]),
        ("location", "location", "46.05, 14.5", []),
        ("contact", "contact", "Bojan Zupan +38640123499", []),
        ("url", "text", "https://shop.example.com/jug", []),
        ("unknown-message", "unknown", None, []),
    ],
)
def test_every_kind_is_mapped_and_what_is_not_text_is_kept_raw(
    name: str, kind: str, text: str | None, files: list[tuple[str, str | None]]
) -> None:
    data = only(name).data
    assert (data.kind, data.text) == (kind, text)
    assert [(file.reference, file.name) for file in data.attachments] == files
    assert data.raw["type"]


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("delivered", "delivered", None),
        ("seen", "read", None),
        ("failed", "failed", "failure description"),
    ],
)
def test_a_receipt_belongs_to_the_customers_conversation(
    name: str, status: str, reason: str | None
) -> None:
    event = only(name)
    assert event.type == "throughline.delivery.changed.v1"
    assert (event.data.status, event.data.reason) == (status, reason)
    assert event.data.conversation_id == only("text").data.conversation_id


def test_delivered_and_seen_are_two_events_of_one_message() -> None:
    delivered, seen = only("delivered"), only("seen")
    assert delivered.data.message_id == seen.data.message_id
    assert delivered.id != seen.id


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("subscribed", "subscribed"),
        ("unsubscribed", "unsubscribed"),
        ("conversation-started", "conversation_started"),
    ],
)
def test_subscriptions_are_kept_by_the_callbacks_name(name: str, kind: str) -> None:
    event = only(name)
    assert event.type == "throughline.contact.unrecognised.v1"
    assert (event.data.kind, event.data.contact_points) == (kind, (ANA,))


def test_vibers_check_of_the_address_is_ignored() -> None:
    assert parse("viber", "webhook").ignored == ("webhook",)


def test_a_message_of_nobody_becomes_a_dead_letter() -> None:
    body = request("viber", BODY.replace(b'"sender"', b'"nobody"'))
    parsed = Viber().parse(body, ACCOUNT, NOW, IDS)
    assert [part.error for part in parsed.broken] == ["sender.id: missing"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"event": 7.5}'])
def test_a_body_that_makes_no_sense_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        Viber().parse(request("viber", body), ACCOUNT, NOW, IDS)
