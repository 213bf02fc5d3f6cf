"""LINE: signatures as LINE's own library checks them, groups, unsent messages, redelivery."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from linebot.v3 import SignatureValidator

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.line import Line
from services.ingest.adapters.request import RawRequest, SignatureRefused
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request, signed

ACCOUNT = ACCOUNTS["line"]
BODY = payload("line", "text")
HEADER = "x-line-signature"
BOT = "Ubot00000000000000000000000000001"
ANA = f"line:{BOT}/U4af4980629000000000000000000a11a"
GOOD = dict(signed("line", BODY).headers)[HEADER]


def only(name: str) -> Any:
    """Return the one event of a fixture."""
    parsed = parse("line", name)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def verify(*values: bytes, body: bytes = BODY) -> None:
    Line().verify(RawRequest(body, tuple((HEADER, value) for value in values)), ACCOUNT, NOW)


def test_lines_own_library_accepts_what_we_accept_and_nothing_else() -> None:
    library = SignatureValidator("line-channel-secret")
    assert library.validate(BODY.decode(), GOOD.decode())
    verify(GOOD)
    assert not library.validate(BODY.decode() + " ", GOOD.decode())
    with pytest.raises(SignatureRefused):
        verify(GOOD, body=BODY + b" ")


def test_an_old_secret_is_accepted_while_it_is_rotated() -> None:
    old = replace(ACCOUNT, secrets={"channel_secret": (b"old-line-secret",)})
    request_signed = Line.scheme.sign(request("line", BODY), old, NOW)
    Line().verify(request_signed, ACCOUNT, NOW)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((), "missing"),
        ((b"",), "missing"),
        ((GOOD, GOOD), "doubled"),
        ((GOOD[:-4],), "malformed"),
        ((GOOD + b"=",), "malformed"),
        ((b"!" * 44,), "malformed"),
        ((b"A" * 43 + b"=",), "wrong"),
        ((b"A" * 600,), "malformed"),
    ],
)
def test_any_other_signature_is_refused(values: tuple[bytes, ...], reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(*values)
    assert refused.value.reason == reason


def test_a_message_tells_who_wrote_what_when_and_where_to_answer() -> None:
    event = only("text")
    assert event.type == "throughline.message.received.v1"
    assert event.data.text == "Where is my order?"
    assert event.data.contact_points == (ANA,)
    assert event.data.reply_to == ANA.partition("/")[2]
    assert event.time == datetime(2025, 11, 3, 9, 0, 0, 123000, tzinfo=UTC)
    assert event.data.raw is None


def test_a_redelivered_message_is_the_same_event() -> None:
    assert only("redelivered") == only("text")


def test_channels_of_one_line_provider_can_share_their_customers() -> None:
    account = replace(ACCOUNT, options={"provider_id": "1650000000"})
    (event,) = Line().parse(request("line", BODY), account, NOW, IDS).events
    assert event.data.contact_points == (ANA.replace(BOT, "1650000000"),)


@pytest.mark.parametrize(
    ("name", "kind", "text", "files"),
    [
        ("image", "image", None, [("468000000000000006", "image/jpeg")]),
        ("image-elsewhere", "image", None, [("https://cdn.example.com/lid.jpg", "image/jpeg")]),
        ("audio", "audio", None, [("468000000000000008", "audio/x-m4a")]),
        ("file", "document", None, [("468000000000000009", "application/octet-stream")]),
        ("location", "location", "Example shop, Example street 1, Ljubljana", []),
        ("sticker", "sticker", None, []),
        ("line-emoji", "text", "Thanks (moon)", []),
        ("unknown-message", "unknown", None, []),
    ],
)
def test_every_kind_is_mapped_and_what_is_not_plain_is_kept_raw(
    name: str, kind: str, text: str | None, files: list[tuple[str, str]]
) -> None:
    data = only(name).data
    assert (data.kind, data.text) == (kind, text)
    assert [(file.reference, file.media_type) for file in data.attachments] == files
    assert data.raw["message"]["type"]


def test_tokens_that_answer_in_our_name_are_not_kept() -> None:
    raw = json.dumps(only("image").data.raw)
    assert "replyToken" not in raw
    assert "quoteToken" not in raw


def test_a_quote_names_the_message_it_quotes() -> None:
    assert only("quote").data.in_reply_to == "468000000000009999"


def test_an_edit_and_an_unsent_message_name_the_original() -> None:
    edited, unsent = only("edited").data, only("unsent").data
    assert edited.message_id == unsent.message_id == only("text").data.message_id
    assert edited.text == "Where are my TWO orders?"
    assert only("unsent").type == "throughline.message.deleted.v1"


def test_a_postback_is_a_choice() -> None:
    data = only("postback").data
    assert (data.menu, data.choice) == ("postback", "action=return&order=4711")


def test_in_a_group_everybody_has_a_conversation_and_the_answer_goes_to_the_group() -> None:
    event = only("group")
    assert event.data.contact_points == (ANA,)
    assert event.data.reply_to.startswith("C")
    assert event.data.conversation_id != only("text").data.conversation_id


def test_a_group_member_who_told_no_id_is_known_as_the_group() -> None:
    assert only("group-unnamed").data.contact_points[0].startswith(f"line:{BOT}/C")


def test_a_message_somebody_else_answers_says_so() -> None:
    assert only("standby").data.raw["mode"] == "standby"


@pytest.mark.parametrize(("name", "kind"), [("followed", "follow"), ("unfollowed", "unfollow")])
def test_followers_are_kept_by_the_events_name(name: str, kind: str) -> None:
    event = only(name)
    assert event.type == "throughline.contact.unrecognised.v1"
    assert event.data.kind == kind


def test_lines_check_of_the_address_and_notices_are_ignored_by_name() -> None:
    assert parse("line", "verification").ignored == ("verification",)
    assert parse("line", "joined-group").ignored == ("join",)


def test_one_broken_event_is_put_aside_alone() -> None:
    parsed = parse("line", "batch-with-one-broken")
    assert [event.data.text for event in parsed.events] == ["one", "three"]
    (part,) = parsed.broken
    assert part.error == "id: missing"
    alone = Line().parse(request("line", part.body), ACCOUNT, NOW, IDS)
    assert [again.error for again in alone.broken] == ["id: missing"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"events": []}', b'{"destination": "U"}'])
def test_a_body_that_makes_no_sense_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        Line().parse(request("line", body), ACCOUNT, NOW, IDS)
