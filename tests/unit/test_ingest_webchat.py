"""The web chat's adapter: whose it is, what becomes of a frame, and what cannot be forged."""

import json
from typing import Any

import pytest

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import RawRequest, SignatureRefused
from tests.support.builders_ingest import ACCOUNTS, NOW, parse, payload, request

SESSION = "chat_00112233445566778899aabbccddeeff"


def only(name: str) -> Any:
    (event,) = parse("webchat", name).events
    return event


def verify(body: bytes, *sessions: bytes) -> None:
    given = RawRequest(body, tuple(("chat-session", one) for one in sessions))
    ADAPTERS["webchat"].verify(given, ACCOUNTS["webchat"], NOW)


def test_a_visitor_is_known_by_the_session_alone() -> None:
    data = only("message").data
    assert data.contact_points == (f"webchat:main/{SESSION}",)
    assert data.reply_to == SESSION
    assert (data.channel, data.locale) == ("chat", "sl-SI")


def test_our_own_clock_is_vouched_for() -> None:
    event = only("message")
    assert event.time == event.data.occurred_at < NOW


def test_a_session_is_one_conversation_and_each_engagement_an_interaction() -> None:
    message, started, ended, later = map(only, ("message", "started", "ended", "timed-out"))
    assert len({one.partitionkey for one in (message, started, ended, later)}) == 1
    assert started.data.kind == "chat"
    assert started.data.interaction_id == ended.data.interaction_id != later.data.interaction_id
    assert (ended.data.reason, later.data.reason) == ("completed", "timeout")


def test_the_address_left_links_nobody_to_anybody() -> None:
    mail, phone = only("offline-email"), only("offline-phone")
    assert mail.data.contact_points == ("email:ana.kovac@example.si",)
    assert phone.data.contact_points == ("tel:+38640123456",)
    assert only("message").partitionkey not in {mail.partitionkey, phone.partitionkey}
    assert mail.data.reply_to is None
    assert {one.name for one in mail.data.fields} == {"text", "session"}


def test_emoji_and_right_to_left_text_stay_what_they_are() -> None:
    assert "👩🏽‍🔧" in only("emoji").data.text
    assert only("rtl").data.text.startswith("مرحبا")


def test_typing_concerns_nobody() -> None:
    parsed = parse("webchat", "typing")
    assert (parsed.events, parsed.ignored) == ((), ("typing",))


def test_a_kind_we_do_not_know_is_kept_whole() -> None:
    data = only("unknown").data
    assert data.kind == "dance"
    assert data.raw["id"] == "m-12345678"


def test_a_message_without_an_id_is_put_aside() -> None:
    (broken,) = parse("webchat", "without-an-id").broken
    assert broken.error == "id: missing"


@pytest.mark.parametrize(
    ("sessions", "reason"),
    [
        ((), "missing"),
        ((SESSION.encode(), SESSION.encode()), "doubled"),
        ((b"somebody",), "malformed"),
        ((b"chat_" + b"0" * 32,), "wrong"),
    ],
)
def test_a_frame_counts_only_for_the_session_whose_token_was_shown(
    sessions: tuple[bytes, ...], reason: str
) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(payload("webchat", "message"), *sessions)
    assert refused.value.reason == reason


def test_the_session_in_the_frame_must_be_the_same() -> None:
    verify(payload("webchat", "message"), SESSION.encode())
    for body in (b"[]", b"nonsense", json.dumps({"session": [SESSION]}).encode()):
        with pytest.raises(SignatureRefused):
            verify(body, SESSION.encode())
    assert request("webchat", b"").signature("chat-session") == SESSION
