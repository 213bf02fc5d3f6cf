"""Telegram: the secret token, kinds of messages, groups, buttons, and business chats."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.adapters.telegram import Telegram
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request, signed

ACCOUNT = ACCOUNTS["telegram"]
HEADER = "x-telegram-bot-api-secret-token"
ANA = "telegram:401200123"


def only(name: str) -> Any:
    """Return the one event of a fixture."""
    parsed = parse("telegram", name)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def changed(name: str, edit: Any) -> Any:
    update = json.loads(payload("telegram", name))
    edit(update)
    return Telegram().parse(request("telegram", json.dumps(update).encode()), ACCOUNT, NOW, IDS)


def test_our_secret_token_is_accepted_and_so_is_the_old_one() -> None:
    for token in (b"telegram-secret-token", b"old-telegram-token"):
        Telegram().verify(RawRequest(b"{}", ((HEADER, token),)), ACCOUNT, NOW)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((), "missing"),
        ((b"",), "missing"),
        ((b"telegram-secret-token",) * 2, "doubled"),
        ((b"wrong",), "wrong"),
        ((b"telegram-secret-token ",), "wrong"),
        ((b"TELEGRAM-SECRET-TOKEN",), "wrong"),
        ((b"\xff",), "malformed"),
        ((b"a" * 5_000,), "malformed"),
    ],
)
def test_any_other_token_is_refused(values: tuple[bytes, ...], reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        Telegram().verify(RawRequest(b"{}", tuple((HEADER, v) for v in values)), ACCOUNT, NOW)
    assert refused.value.reason == reason


def test_another_accounts_token_is_refused() -> None:
    other = replace(ACCOUNT, name="other", secrets={"secret_token": (b"theirs",)})
    with pytest.raises(SignatureRefused):
        Telegram().verify(signed("telegram", payload("telegram", "text")), other, NOW)


def test_a_message_tells_who_wrote_what_when_and_where_to_answer() -> None:
    event = only("text")
    assert event.type == "throughline.message.received.v1"
    assert (event.data.kind, event.data.text) == ("text", "Kje je moj paket?")
    assert event.data.contact_points == (ANA,)
    assert event.data.display_name == "Ana Kovač"
    assert event.data.locale == "sl"
    assert event.data.reply_to == "chat_id=401200123"
    assert event.data.message_id == "401200123/11"
    assert event.time == event.data.occurred_at == datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
    assert event.data.raw is None


@pytest.mark.parametrize(
    ("name", "kind", "text", "files"),
    [
        ("photo", "image", "The broken lid", [("photo-large", "image/jpeg", 182000)]),
        ("voice", "audio", None, [("voice-1", "audio/ogg", 18000)]),
        ("document", "document", None, [("doc-1", "application/pdf", 52000)]),
        ("sticker", "sticker", "😀", [("sticker-1", "image/webp", None)]),
        ("animation", "video", None, [("gif-1", "video/mp4", None)]),
        ("location", "location", "46.05, 14.5", []),
        ("venue", "location", "Example shop Example street 1", []),
        ("contact", "contact", "Ana Kovač +38640123456", []),
        ("unknown-content", "unknown", None, []),
    ],
)
def test_every_kind_is_mapped_and_what_is_not_text_is_kept_raw(
    name: str, kind: str, text: str | None, files: list[tuple[str, str, int | None]]
) -> None:
    data = only(name).data
    assert (data.kind, data.text) == (kind, text)
    assert [(one.reference, one.media_type, one.size) for one in data.attachments] == files
    assert data.raw["chat"]["id"] == 401200123


def test_a_shared_contact_card_is_no_contact_point() -> None:
    assert only("contact").data.contact_points == (ANA,)


def test_a_reply_names_the_message_it_answers() -> None:
    assert only("reply").data.in_reply_to == "401200123/10"


def test_an_edit_names_the_original_and_counts_when_it_was_made() -> None:
    event = only("edited")
    assert event.type == "throughline.message.edited.v1"
    assert event.data.message_id == only("text").data.message_id
    assert event.data.text == "Where are my TWO parcels?"
    assert event.time == datetime(2025, 11, 3, 9, 1, tzinfo=UTC)


def test_a_button_is_a_choice_under_the_question_it_stood_below() -> None:
    event = only("button")
    assert event.type == "throughline.choice.made.v1"
    assert (event.data.menu, event.data.choice) == ("What is it about?", "Return a parcel")
    assert event.data.interaction_id == "401200123/30"
    assert event.data.conversation_id == only("text").data.conversation_id
    assert event.data.occurred_at is None


def test_a_button_without_its_message_is_a_message() -> None:
    event = only("button-inline")
    assert event.type == "throughline.message.received.v1"
    assert event.data.text == "return"


def test_a_reaction_names_its_message_and_a_change_takes_the_old_one_back() -> None:
    first = only("reaction").data
    assert (first.message_id, first.reaction, first.removed) == ("401200123/10", "👍", False)
    new, old = parse("telegram", "reaction-changed").events
    assert (new.data.reaction, new.data.removed) == ("5368324170671202286", False)
    assert (old.data.reaction, old.data.removed) == ("👍", True)
    assert new.id != old.id


def test_blocking_the_bot_is_kept_though_nothing_was_written() -> None:
    event = only("blocked")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert event.data.kind == "my_chat_member/kicked"
    assert event.data.conversation_id == only("text").data.conversation_id


def test_in_a_group_everybody_has_a_conversation_and_the_answer_goes_to_the_topic() -> None:
    event = only("group")
    assert event.data.contact_points == (ANA,)
    assert event.data.conversation_id != only("text").data.conversation_id
    assert event.data.reply_to == "chat_id=-1001234500001&message_thread_id=50"
    assert event.data.in_reply_to is None
    other = changed("group", lambda update: update["message"]["from"].update(id=77)).events[0]
    assert other.data.conversation_id != event.data.conversation_id


def test_a_notice_of_a_group_is_kept_by_its_name() -> None:
    assert only("group-joined").data.kind == "new_chat_members"


def test_what_the_owner_writes_in_a_business_chat_is_our_message_to_the_customer() -> None:
    echo, message = only("business-echo"), only("business-message")
    assert echo.type == "throughline.message.sent.v1"
    assert (echo.data.sender, echo.data.echo) == ("agent", True)
    assert echo.data.contact_points == message.data.contact_points == (ANA,)
    assert message.type == "throughline.message.received.v1"
    assert "business_connection_id=bc-1" in message.data.reply_to


def test_deleted_messages_of_a_business_chat_are_each_taken_back() -> None:
    deleted = only("deleted")
    assert deleted.type == "throughline.message.deleted.v1"
    assert deleted.data.message_id == only("business-message").data.message_id


def test_posts_of_a_channel_and_messages_of_bots_are_ignored_by_name() -> None:
    assert parse("telegram", "channel-post").ignored == ("channel_post",)
    bot = changed("text", lambda update: update["message"]["from"].update(is_bot=True))
    assert (bot.events, bot.ignored) == ((), ("bot",))


def test_an_unknown_update_that_names_a_customer_is_kept_whole() -> None:
    event = only("unknown-update")
    assert (event.data.kind, event.data.raw["thought"]) == ("telepathy", "where is it")


def test_an_update_that_lacks_its_chat_becomes_a_dead_letter() -> None:
    parsed = changed("edited", lambda update: update["edited_message"].pop("chat"))
    assert [part.error for part in parsed.broken] == ["chat.id: missing"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"update_id": null}', b"[" * 1_000])
def test_a_body_that_is_no_update_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        Telegram().parse(request("telegram", body), ACCOUNT, NOW, IDS)
