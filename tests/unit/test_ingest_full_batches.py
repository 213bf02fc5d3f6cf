"""Batches of the largest size that their provider sends."""

import json
from typing import Any

import pytest

from services.ingest.adapters.contract import Parsed
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.parse import read
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, payload, request

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
