"""Batches of the largest size that their provider sends."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from services.ingest.adapters.contract import Parsed
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.domain import limits
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.parse import read
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, payload, request

SLOW = 1.0
"""Seconds of the processor's time; it takes a tenth of them."""
UPDATES = 1_000
"""Meta's own maximum for one request."""

ADDRESS = dict.fromkeys(
    ("street", "city", "state", "zip", "country", "country_code", "type"), "Prešernova 1"
)
CARD: dict[str, Any] = {
    "name": dict.fromkeys(("formatted_name", "first_name", "last_name", "prefix"), "Bojan"),
    "birthday": "1980-01-01",
    "org": {"company": "Lipa", "department": "Sales", "title": "Clerk"},
    "addresses": [ADDRESS, ADDRESS],
    "emails": [{"email": "bojan@example.com", "type": "WORK"}],
    "phones": [{"phone": "+386 40 123 499", "wa_id": "38640123499", "type": "CELL"}],
    "urls": [{"url": "https://www.example.com", "type": "WORK"}],
}
TOLD_OF_A_STATUS: dict[str, Any] = {
    "recipient_parent_user_id": "SI.ENT.1349120865530275",
    "biz_opaque_callback_data": "order 1001",
    "pricing": {
        "billable": True,
        "pricing_model": "CBP",
        "category": "service",
        "type": "regular",
    },
    "errors": [
        {
            "code": 131026,
            "title": "Undeliverable",
            "message": "Undeliverable",
            "error_data": {"details": "Nobody there"},
            "href": "https://developers.example.com/errors",
        }
    ],
}


def full(provider: str, name: str, **more: Any) -> bytes:
    """Return a fixture's update as often as a batch may hold one, each in an entry of its own."""
    notification = json.loads(payload(provider, name))
    (entry,) = notification["entry"]
    for change in entry.get("changes", ()):
        for update in (*change["value"].get("statuses", ()), *change["value"].get("messages", ())):
            update.update(more)
    return json.dumps({**notification, "entry": [entry] * UPDATES}).encode()


def parsed(provider: str, body: bytes) -> Parsed:
    """Return what a body turns into, as when a hook takes it."""
    return read(ADAPTERS[provider], request(provider, body), ACCOUNTS[provider], NOW, IDS)


@pytest.mark.parametrize(
    ("provider", "name", "more"),
    [
        ("whatsapp", "text", {}),
        ("whatsapp", "sent-in-conversation", TOLD_OF_A_STATUS),
        ("whatsapp", "contacts", {"contacts": [CARD]}),
        ("messenger", "text", {}),
        ("messenger", "image", {}),
        ("instagram", "story-reply", {}),
    ],
)
def test_a_batch_at_the_providers_maximum_is_read_whole(
    provider: str, name: str, more: dict[str, Any]
) -> None:
    body = full(provider, name, **more)
    assert len(body) <= ADAPTERS[provider].max_body
    found = parsed(provider, body)
    assert (len(found.events), found.broken) == (UPDATES, ())


def test_all_news_of_a_large_mailing_are_read() -> None:
    (told, *_) = json.loads(payload("sendgrid", "events"))
    many = [{**told, "sg_event_id": f"e{number}"} for number in range(limits.PARTS_SENDGRID)]
    found = parsed("sendgrid", json.dumps(many).encode())
    assert (len(found.events), found.broken) == (limits.PARTS_SENDGRID, ())


@pytest.mark.parametrize("provider", ["whatsapp", "messenger", "instagram"])
def test_a_body_of_more_keys_than_a_full_batch_is_put_aside(provider: str) -> None:
    keys = b",".join(b'"%d":0' % number for number in range(ADAPTERS[provider].max_keys + 1))
    assert [part.error for part in parsed(provider, b"{" + keys + b"}").broken] == ["body: json"]


def test_whoever_asks_for_no_more_keys_takes_ten_thousand() -> None:
    def keys(count: int) -> bytes:
        return b"{" + b",".join(b'"%d":0' % number for number in range(count)) + b"}"

    assert len(parse_json(keys(10_000))) == 10_000
    with pytest.raises(Malformed):
        parse_json(keys(10_001))
    assert len(parse_json(keys(10_001), keys=10_001)) == 10_001


def seconds_for(provider: str, body: bytes) -> tuple[Parsed, float]:
    """Return what a body turns into, and the processor's time that this took."""
    started = time.process_time()
    found = parsed(provider, body)
    return found, time.process_time() - started


def change(count: int, contacts: list[Any], **more: Any) -> bytes:
    """Return one change with as many messages, each of another customer, and these contacts."""
    notification = json.loads(payload("whatsapp", "text-phone-only"))
    value = notification["entry"][0]["changes"][0]["value"]
    (message,) = value["messages"]
    value["messages"] = [
        {**message, "id": f"wamid.{number}", "from": number_of(number), **more}
        for number in range(count)
    ]
    value["contacts"] = contacts
    return json.dumps(notification).encode()


def number_of(customer: int) -> str:
    return f"1202555{customer:04}"


def contact(customer: int) -> dict[str, Any]:
    return {"profile": {"name": f"Customer {customer}"}, "wa_id": number_of(customer)}


def test_every_message_of_a_full_change_has_the_name_of_its_own_contact() -> None:
    found = parsed("whatsapp", change(UPDATES, [contact(n) for n in reversed(range(UPDATES))]))
    names = [event.data.display_name for event in found.events]  # type: ignore[attr-defined]
    assert names == [f"Customer {number}" for number in range(UPDATES)]


@pytest.mark.parametrize(
    "contacts",
    [[{}] * 20_000, [contact(n) for n in range(500, 10_000)], [[]] * 40_000],
    ids=["empty ones", "other people's", "none"],
)
def test_the_contacts_of_a_change_are_not_read_again_for_each_message(contacts: list[Any]) -> None:
    found, seconds = seconds_for("whatsapp", change(500, contacts))
    assert len(found.events) == 500
    assert seconds < SLOW


def test_what_stands_around_broken_parts_is_not_written_out_for_each() -> None:
    body = change(UPDATES, [contact(n) for n in range(10_000)], id=None)
    found, seconds = seconds_for("whatsapp", body)
    assert [part.body for part in found.broken] == [body]
    assert found.broken[0].error == f"{UPDATES} parts, first id: missing"
    assert seconds < SLOW


def test_people_around_broken_posts_are_not_written_out_for_each() -> None:
    users = {str(number): {"name": "A"} for number in range(3_000)}
    posts = [{"id_str": str(number)} for number in range(3_000)]
    told = {"for_user_id": "1", "tweet_create_events": posts, "users": users}
    body = json.dumps(told).encode()
    found, seconds = seconds_for("x", body)
    assert [part.body for part in found.broken] == [body]
    assert seconds < SLOW


@pytest.mark.parametrize("topic", ["conversation.user.replied", "conversation.rating.added"])
def test_a_conversation_is_not_kept_again_for_each_of_its_parts(topic: str) -> None:
    item = {**{f"field {n}": 0 for n in range(9_000)}, "id": "1", "text": "a" * 200_000}
    item["conversation_parts"] = {"conversation_parts": [{}] * (limits.PARTS - 1)}
    told = {"type": "notification_event", "topic": topic, "app_id": "a", "data": {"item": item}}
    _, seconds = seconds_for("intercom", json.dumps(told).encode())
    assert seconds < 2 * SLOW


@pytest.mark.parametrize(
    ("provider", "around"),
    [
        ("messenger", lambda parts: {"object": "page", "entry": [{"messaging": parts}]}),
        ("line", lambda parts: {"destination": "a", "events": parts}),
    ],
)
def test_more_parts_than_anybody_sends_are_put_aside_unread(
    provider: str, around: Callable[[list[Any]], Any]
) -> None:
    found, seconds = seconds_for(provider, json.dumps(around([{}] * 40_000)).encode())
    assert [part.error for part in found.broken] == ["body: too many parts"]
    assert seconds < SLOW


def test_a_receipt_of_more_messages_than_anybody_sends_is_put_aside() -> None:
    item = {"sender": {"id": "7"}, "delivery": {"mids": [f"m{n}" for n in range(90_000)]}}
    body = {"object": "page", "entry": [{"id": "9", "messaging": [item]}]}
    found, seconds = seconds_for("messenger", json.dumps(body).encode())
    assert [part.error for part in found.broken] == ["mids: too many"]
    assert seconds < SLOW
