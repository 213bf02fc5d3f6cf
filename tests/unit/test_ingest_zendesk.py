"""Zendesk: whose ticket, who wrote, and what counts once though it is told twice."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.adapters.zendesk import Zendesk
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request, signed

ACCOUNT = ACCOUNTS["zendesk"]
ANA = "zendesk:22129848/8447388090494"
TICKET = "zendesk:22129848/ticket-141"


def only(name: str) -> Any:
    """Return the one event of a payload."""
    (event,) = parse("zendesk", name).events
    return event


def changed(name: str, **detail: Any) -> Any:
    """Return what a payload gives with other fields of its ticket."""
    event = json.loads(payload("zendesk", name))
    event["detail"].update(detail)
    return Zendesk().parse(request("zendesk", json.dumps(event).encode()), ACCOUNT, NOW, IDS)


def test_the_time_is_signed_before_the_body() -> None:
    given = RawRequest(b'{"say": "hello"}')
    account = replace(ACCOUNT, secrets={"signing_secret": (b"a-secret",)})
    proof = dict(Zendesk.scheme.sign(given, account, NOW).headers)
    assert proof["x-zendesk-webhook-signature-timestamp"] == b"2026-11-03T09:15:00Z"
    # from `openssl dgst -sha256 -hmac a-secret -binary | base64` of time and body
    assert proof["x-zendesk-webhook-signature"] == OPENSSL


OPENSSL = b"yWIp+kvTsNwWZm2H2emHQAlr3GRpSXfQNvAkFrByd74="


def test_a_request_without_a_body_can_be_authentic() -> None:
    empty = signed("zendesk", b"")
    Zendesk().verify(empty, ACCOUNT, NOW)
    assert Zendesk().parse(empty, ACCOUNT, NOW, IDS).ignored == ("empty",)


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (b"2026-11-03T09:15:00", "malformed"),
        (b"1793696400", "malformed"),
        (b"2026-11-03T09:15:00.000Z", "wrong"),
        (b"", "missing"),
    ],
)
def test_another_time_than_the_signed_one_is_refused(time: bytes, reason: str) -> None:
    name = "x-zendesk-webhook-signature-timestamp"
    good = signed("zendesk", b"{}")
    headers = tuple(pair for pair in good.headers if pair[0] != name)
    with pytest.raises(SignatureRefused) as refused:
        Zendesk().verify(RawRequest(b"{}", (*headers, (name, time))), ACCOUNT, NOW)
    # the digest is looked at first, so that nothing else tells a stranger anything
    assert refused.value.reason == ("wrong" if reason != "missing" else reason)


def test_a_comment_is_a_message_of_its_author() -> None:
    event = only("comment")
    assert event.type == "throughline.message.received.v1"
    assert event.data.contact_points == (ANA,)
    assert event.data.display_name == "Ana Kovač"
    assert (event.data.message_id, event.data.reply_to) == ("902", "5158")
    assert event.data.subject == "Where is my parcel?"
    assert event.time == datetime(2026, 11, 3, 9, 0, 0, 254000, tzinfo=UTC)


def test_the_first_comment_and_its_ticket_count_once() -> None:
    ticket, comment = only("ticket-created"), only("opening-comment")
    assert ticket.id == comment.id
    assert ticket.data.text == comment.data.text
    assert ticket.data.conversation_id == only("comment").data.conversation_id


def test_the_same_words_later_are_another_message() -> None:
    later = changed("opening-comment", created_at="2026-11-01T08:00:00Z")
    assert later.events[0].id != only("ticket-created").id


def test_what_the_desk_writes_is_an_echo_for_the_requester() -> None:
    event = only("comment-by-agent")
    assert event.type == "throughline.message.sent.v1"
    assert (event.data.sender, event.data.echo) == ("agent", True)
    assert event.data.agent_id == "8447388090495"
    assert event.data.contact_points == (ANA,)


def test_a_private_comment_is_nobodys_message() -> None:
    assert parse("zendesk", "comment-private").ignored == ("a private comment",)


@pytest.mark.parametrize(
    ("via", "channel"),
    [("email", "email"), ("web_form", "form"), ("whatsapp", "messaging"), ("new", "portal")],
)
def test_the_tickets_way_in_is_the_channel(via: str, channel: str) -> None:
    (event,) = changed("comment", via={"channel": via}).events
    assert event.data.channel == channel


def test_an_attachment_belongs_to_its_comment() -> None:
    data = only("attachment").data
    assert (data.kind, data.in_reply_to) == ("image", "902")
    (found,) = data.attachments
    assert (found.name, found.size, found.media_type) == ("label.png", 20480, "image/png")


def test_a_redacted_comment_is_edited_or_gone() -> None:
    assert only("comment-redacted").data.message_id == only("comment").data.message_id
    assert "▇" in only("comment-redacted").data.text
    assert only("comment-removed").type == "throughline.message.deleted.v1"


def test_an_agents_message_is_joined_to_the_customer_by_the_ticket() -> None:
    customer, agent = only("message-by-customer"), only("message-by-agent")
    assert customer.data.contact_points[-1:] == agent.data.contact_points == (TICKET,)
    assert customer.data.conversation_id == agent.data.conversation_id
    assert only("message-by-bot").data.sender == "bot"


def test_a_ticket_without_a_requester_is_put_aside() -> None:
    (part,) = changed("ticket-created", requester_id=None).broken
    assert part.error == "customer: no id, account or conversation"


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"{}", b'{"type": 1}', b'{"ticket": {"id": 7}}']
)
def test_a_body_of_another_form_makes_no_sense(body: bytes) -> None:
    try:
        parsed = Zendesk().parse(request("zendesk", body), ACCOUNT, NOW, IDS)
    except Unparseable:
        return
    assert parsed.broken and not parsed.events


def test_events_about_people_and_articles_are_ignored() -> None:
    body = b'{"type": "zen:event-type:user.active_changed"}'
    parsed = Zendesk().parse(request("zendesk", body), ACCOUNT, NOW, IDS)
    assert parsed.ignored == ("not a ticket",)
