"""X: signatures, the check that must not sign bodies for strangers, direct messages, posts."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.adapters.x import X
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request

ACCOUNT = ACCOUNTS["x"]
BODY = payload("x", "text")
HEADER = "x-twitter-webhooks-signature"
ANA = "x:3805104374"


def signature(secret: bytes = b"x-consumer-secret", body: bytes = BODY) -> bytes:
    return b"sha256=" + base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest())


def only(name: str) -> Any:
    """Return the one event of a fixture."""
    parsed = parse("x", name)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def verify(*values: bytes, body: bytes = BODY) -> None:
    X().verify(RawRequest(body, tuple((HEADER, value) for value in values)), ACCOUNT, NOW)


@pytest.mark.parametrize("secret", [b"x-consumer-secret", b"old-x-secret"])
def test_the_signature_is_accepted_with_any_active_secret(secret: bytes) -> None:
    verify(signature(secret))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((), "missing"),
        ((signature(), signature()), "doubled"),
        ((signature()[7:],), "malformed"),
        ((signature()[:-4],), "malformed"),
        ((signature(b"another"),), "wrong"),
        ((signature(body=BODY + b" "),), "wrong"),
    ],
)
def test_any_other_signature_is_refused(values: tuple[bytes, ...], reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(*values)
    assert refused.value.reason == reason


def test_the_check_is_answered_with_the_tokens_digest() -> None:
    token = "9b4507b3-9040-4669-9ca3-6b94edb50553"
    digest = signature(body=token.encode()).decode()
    answered = json.loads(X().challenge(urlencode({"crc_token": token, "nonce": "1"}), ACCOUNT))
    assert answered == {"response_token": digest}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "missing"),
        ("crc_token=", "missing"),
        ("crc_token=abcdefgh&crc_token=abcdefgh", "doubled"),
        ("crc_token=" + "a" * 300, "malformed"),
        ("&".join(f"a{n}=1" for n in range(50)), "malformed"),
    ],
)
def test_any_other_check_is_refused(query: str, reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        X().challenge(query, ACCOUNT)
    assert refused.value.reason == reason


@pytest.mark.parametrize("body", [BODY.decode(), "{}", '{"a":1}' * 2, "[1,2,3,4]", "1" * 20])
def test_nobody_gets_a_bodys_signature_by_asking_about_it_as_a_token(body: str) -> None:
    with pytest.raises(SignatureRefused):
        X().challenge(urlencode({"crc_token": body}), ACCOUNT)


@pytest.mark.parametrize("token", ["abcdefgh", "null////", "12345678.0", "1/aaaaaaa"])
def test_the_answer_to_a_check_lets_no_body_in(token: str) -> None:
    answered = json.loads(X().challenge(urlencode({"crc_token": token}), ACCOUNT))
    with pytest.raises(SignatureRefused):
        verify(answered["response_token"].encode(), body=token.encode())


def test_a_direct_message_tells_who_wrote_what_when_and_where_to_answer() -> None:
    event = only("text")
    assert event.type == "throughline.message.received.v1"
    assert event.data.text == "Is my parcel on its way?"
    assert only("escaped").data.text == "Is parcel <4711> on its way?"
    assert (event.data.channel, event.data.contact_points) == ("messaging", (ANA,))
    assert (event.data.display_name, event.data.reply_to) == ("Ana Kovač", "dm:3805104374")
    assert event.time == datetime(2025, 11, 3, 9, 0, 0, 123000, tzinfo=UTC)


def test_a_file_and_a_chosen_option_are_kept() -> None:
    image = only("image").data
    assert image.attachments[0].reference.startswith("https://ton.twitter.com/")
    assert image.attachments[0].media_type == "image/jpeg"
    assert only("quick-reply").data.raw["quick_reply_response"]["metadata"] == "return"


def test_what_we_wrote_elsewhere_is_our_message_and_our_own_apps_is_ignored() -> None:
    echo = only("echo")
    assert echo.type == "throughline.message.sent.v1"
    assert (echo.data.sender, echo.data.echo) == ("agent", True)
    assert echo.data.contact_points == (ANA,)
    assert echo.data.conversation_id == only("text").data.conversation_id
    assert parse("x", "own-echo").ignored == ("echo of our own app",)


def test_a_read_receipt_holds_up_to_its_moment() -> None:
    data = only("read").data
    assert (data.status, data.message_id) == ("read", None)
    assert data.up_to == datetime(2025, 11, 3, 9, 1, 20, tzinfo=UTC)


def test_a_post_that_mentions_us_is_a_social_message_of_another_conversation() -> None:
    event = only("mention")
    assert event.data.channel == "social"
    assert event.data.text == "@example_shop where is my & order?"
    assert event.data.reply_to == "post:1050118621198921728"
    assert event.data.conversation_id != only("text").data.conversation_id


def test_a_long_reply_keeps_its_whole_text_picture_and_written_time() -> None:
    event = only("long-reply")
    assert event.data.text.endswith("promised for Friday")
    assert event.data.in_reply_to == "1050118621198921729"
    assert event.data.attachments[0].reference == "https://pbs.twimg.com/media/lid.jpg"
    assert event.time == datetime(2025, 11, 3, 9, 0, tzinfo=UTC)


def test_our_public_answer_is_an_echo_to_the_customer() -> None:
    echo = only("own-reply")
    assert echo.data.echo
    assert echo.data.conversation_id == only("mention").data.conversation_id


def test_a_deleted_post_is_taken_back() -> None:
    assert only("deleted").data.message_id == only("mention").data.message_id


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("typing", "direct_message_indicate_typing_events"),
        ("liked", "favorite_events"),
        ("revoked", "user_event"),
        ("own-post", "repost or post to nobody"),
        ("repost", "repost or post to nobody"),
    ],
)
def test_what_asks_for_no_answer_is_ignored_by_name(name: str, ignored: str) -> None:
    parsed = parse("x", name)
    assert (parsed.events, parsed.ignored) == ((), (ignored,))


def test_what_has_no_word_here_is_kept_whole() -> None:
    event = only("unknown")
    assert (event.data.kind, event.data.raw["thought"]) == ("telepathy_events", "where is it")


def test_one_broken_event_is_put_aside_alone() -> None:
    parsed = parse("x", "batch-with-one-broken")
    assert [event.data.text for event in parsed.events] == ["one", "three"]
    (part,) = parsed.broken
    assert part.error == "id: missing"
    alone = X().parse(request("x", part.body), ACCOUNT, NOW, IDS)
    assert [again.error for again in alone.broken] == ["id: missing"]


def test_events_of_another_account_of_ours_are_put_aside() -> None:
    account = replace(ACCOUNT, options={"user_id": "1"})
    parsed = X().parse(request("x", BODY), account, NOW, IDS)
    assert [part.error for part in parsed.broken] == ["for_user_id: another account's"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"for_user_id": "1"}', b'{"direct_message_events": []}']
)
def test_a_body_that_makes_no_sense_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        X().parse(request("x", body), ACCOUNT, NOW, IDS)
