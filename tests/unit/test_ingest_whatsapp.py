"""WhatsApp: signatures, kinds, and one customer whose number comes and goes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.adapters.whatsapp import WhatsApp
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request, sign_whatsapp

ACCOUNT = ACCOUNTS["whatsapp"]
BODY = payload("whatsapp", "text")
GOOD = sign_whatsapp(BODY)
HEADER = "x-hub-signature-256"
BSUID = "whatsapp:p1/SI.1349120865530274"
PHONE = "tel:+38640123456"


def only(name: str) -> Any:
    """Return the one event of a fixture."""
    parsed = parse("whatsapp", name)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def verify(*values: bytes, body: bytes = BODY) -> None:
    headers = tuple((HEADER, value) for value in values)
    WhatsApp().verify(RawRequest(body, headers), ACCOUNT, NOW)


def test_the_providers_signature_is_accepted() -> None:
    verify(GOOD.encode())


def test_an_old_secret_is_accepted_while_it_is_rotated() -> None:
    verify(sign_whatsapp(BODY, b"old-app-secret").encode())


@pytest.mark.parametrize(
    ("values", "body", "reason"),
    [
        ((), BODY, "missing"),
        ((b"",), BODY, "missing"),
        ((GOOD.encode(), GOOD.encode()), BODY, "doubled"),
        ((GOOD.encode(), b""), BODY, "doubled"),
        ((GOOD[7:].encode(),), BODY, "malformed"),
        ((b"sha1=" + GOOD[7:].encode(),), BODY, "malformed"),
        ((b"sha256=",), BODY, "malformed"),
        ((GOOD[:-1].encode(),), BODY, "malformed"),
        ((GOOD.encode() + b"0",), BODY, "malformed"),
        ((b"sha256=" + GOOD[7:].upper().encode(),), BODY, "malformed"),
        ((b"sha256=" + b"zz" * 32,), BODY, "malformed"),
        ((b" " + GOOD.encode(),), BODY, "malformed"),
        ((b"sha256=" + b"0" * 5_000,), BODY, "malformed"),
        (("sha256=\u0660".encode() * 8,), BODY, "malformed"),
        ((b"\xff\xfe",), BODY, "malformed"),
        ((b"sha256=" + b"0" * 64,), BODY, "wrong"),
        ((sign_whatsapp(BODY, b"other").encode(),), BODY, "wrong"),
        ((sign_whatsapp(BODY, b"").encode(),), BODY, "wrong"),
        ((sign_whatsapp(BODY, b"verify-me").encode(),), BODY, "wrong"),
        ((GOOD.encode(),), BODY + b" ", "wrong"),
        ((GOOD.encode(),), BODY.replace(b"\n", b""), "wrong"),
        ((GOOD.encode(),), b"", "wrong"),
    ],
)
def test_any_other_signature_is_refused(
    values: tuple[bytes, ...], body: bytes, reason: str
) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(*values, body=body)
    assert refused.value.reason == reason


def test_the_challenge_is_echoed_to_who_knows_the_token() -> None:
    query = "hub.mode=subscribe&hub.verify_token=verify-me&hub.challenge=1158201444"
    assert WhatsApp().challenge(query, ACCOUNT) == b"1158201444"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "missing"),
        ("hub.mode=subscribe&hub.verify_token=verify-me", "missing"),
        ("hub.mode=subscribe&hub.challenge=1", "missing"),
        ("hub.mode=subscribe&hub.verify_token=nope&hub.challenge=1", "wrong"),
        ("hub.mode=unsubscribe&hub.verify_token=verify-me&hub.challenge=1", "malformed"),
        (f"hub.mode=subscribe&hub.verify_token=verify-me&hub.challenge={'1' * 1_100}", "malformed"),
        ("hub.verify_token=verify-me&hub.verify_token=x&hub.challenge=1", "doubled"),
        ("&".join(f"a{n}=1" for n in range(50)), "malformed"),
    ],
)
def test_any_other_challenge_is_refused(query: str, reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        WhatsApp().challenge(query, ACCOUNT)
    assert refused.value.reason == reason


def test_a_text_message_tells_who_wrote_what_and_when() -> None:
    event = only("text")
    assert event.type == "throughline.message.received.v1"
    assert event.data.channel == "messaging"
    assert event.data.text == "Dober dan, where is my parcel? 👩‍👩‍👧"
    assert event.data.contact_points == (BSUID, PHONE)
    assert event.data.display_name == "Ana Kovač"
    assert event.time == event.data.occurred_at == datetime(2025, 11, 3, 9, 0, tzinfo=UTC)


def test_one_customer_keeps_the_conversation_though_the_number_comes_and_goes() -> None:
    with_number, without = only("text"), only("text-without-phone")
    assert without.data.contact_points == (BSUID,)
    assert with_number.data.conversation_id == without.data.conversation_id


def test_a_customer_known_by_number_only_is_a_normal_customer() -> None:
    event = only("text-phone-only")
    assert event.data.contact_points == (PHONE,)
    assert event.data.conversation_id != only("text").data.conversation_id  # the stated limit


def test_a_parent_id_is_one_more_contact_point_of_the_same_conversation() -> None:
    event = only("text-parent-id")
    assert event.data.contact_points == (BSUID, "whatsapp:p1/SI.ENT.11815799212886", PHONE)
    assert event.data.conversation_id == only("text").data.conversation_id


@pytest.mark.parametrize(
    ("name", "kind", "text", "attachments"),
    [
        ("image", "image", "The broken lid", ["5550001"]),
        ("voice-note", "audio", None, ["5550002"]),
        ("document", "document", None, ["5550003"]),
        ("sticker", "sticker", None, ["5550004"]),
        ("location", "location", "46.05, 14.5", []),
        ("contacts", "contact", None, []),
        ("list-reply", "text", "Return a parcel", []),
        ("unknown-kind", "unknown", None, []),
    ],
)
def test_every_kind_is_mapped_and_what_is_not_text_is_kept_raw(
    name: str, kind: str, text: str | None, attachments: list[str]
) -> None:
    data = only(name).data
    assert (data.kind, data.text) == (kind, text)
    assert [attachment.reference for attachment in data.attachments] == attachments
    assert data.raw["id"] == data.message_id


def test_what_a_message_refers_to_is_kept() -> None:
    assert only("quote").data.in_reply_to == "wamid.ours.7"


def test_a_reaction_without_an_emoji_takes_the_earlier_one_back() -> None:
    given, taken = only("reaction"), only("reaction-removed")
    assert given.type == taken.type == "throughline.message.reacted.v1"
    assert given.data.message_id == taken.data.message_id == "wamid.ours.7"
    assert (given.data.reaction, given.data.removed) == ("👍", False)
    assert (taken.data.reaction, taken.data.removed) == (None, True)


def test_an_empty_emoji_takes_the_reaction_back_too() -> None:
    body = payload("whatsapp", "reaction")
    parsed = change(body, lambda given: given.replace("👍".encode(), b""))
    assert parsed.events[0].data.removed


def test_a_message_moves_the_service_window_on_to_a_day_after_it() -> None:
    assert only("text").data.window_closes_at == datetime(2025, 11, 4, 9, 0, tzinfo=UTC)
    for name in ("reaction", "delivered", "app-echo", "call-started"):
        assert only(name).data.window_closes_at is None


def test_the_answer_goes_to_the_number_where_it_is_known() -> None:
    assert only("text").data.reply_to == "38640123456"
    assert only("text-without-phone").data.reply_to == "SI.1349120865530274"


def test_what_was_sent_in_the_business_app_is_our_message_to_the_customer() -> None:
    event = only("app-echo")
    assert event.type == "throughline.message.sent.v1"
    assert (event.data.sender, event.data.echo) == ("agent", True)
    assert event.data.contact_points == (BSUID, PHONE)
    assert event.data.conversation_id == only("text").data.conversation_id


def test_a_customers_call_begins_and_ends_under_one_id() -> None:
    started, ended = only("call-started"), only("call-ended")
    assert started.type == "throughline.interaction.started.v1"
    assert ended.type == "throughline.interaction.ended.v1"
    assert (ended.data.reason, ended.data.talk_seconds) == ("completed", 70)
    for event in (started, ended):
        assert (event.data.interaction_id, event.data.direction) == ("wacid.1", "inbound")
        assert (event.data.channel, event.data.contact_points) == ("voice", (BSUID, PHONE))
    assert started.data.conversation_id != only("text").data.conversation_id


def test_a_call_nobody_took_was_abandoned() -> None:
    data = only("call-abandoned").data
    assert (data.reason, data.talk_seconds) == ("abandoned", None)


def test_our_own_call_is_outbound_and_the_customer_takes_or_rejects_it() -> None:
    started, answered = only("call-out-started").data, only("call-answered").data
    rejected = only("call-rejected").data
    assert (started.direction, started.contact_points) == ("outbound", (PHONE,))
    assert answered.interaction_id == rejected.interaction_id == started.interaction_id
    assert rejected.reason == "rejected"
    assert answered.conversation_id == started.conversation_id
    assert parse("whatsapp", "call-ringing").ignored == ("call ringing",)


def test_when_metas_conversation_expires_is_kept() -> None:
    raw = only("sent-in-conversation").data.raw
    assert raw["conversation"]["expiration_timestamp"] == "1762246860"


def test_an_updated_user_id_is_a_changed_contact_point() -> None:
    data = only("user-id-update").data
    assert (data.previous, data.current) == (BSUID, "whatsapp:p1/SI.4444")


def test_what_has_no_word_here_is_kept_if_it_names_a_customer() -> None:
    event = only("user-preferences")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert (event.data.kind, event.data.raw["value"]) == ("user_preferences", "stop")
    assert event.data.contact_points == (BSUID, PHONE)


def test_a_field_that_names_nobody_becomes_a_dead_letter() -> None:
    nobody = {"field": "telepathy", "value": {"telepathy": [{"thought": "where is it"}]}}
    notification = {"object": "whatsapp_business_account", "entry": [{"changes": [nobody]}]}
    parsed = change(BODY, lambda _: json.dumps(notification).encode())
    assert [part.error for part in parsed.broken] == ["field: not understood"]


def test_a_delivery_status_belongs_to_the_customers_conversation() -> None:
    event = only("delivered")
    assert event.type == "throughline.delivery.changed.v1"
    assert (event.data.message_id, event.data.status) == ("wamid.ours.7", "delivered")
    assert event.data.conversation_id == only("text").data.conversation_id


def test_a_failure_says_why_though_no_number_is_told() -> None:
    event = only("failed")
    assert event.data.status == "failed"
    assert event.data.reason == "131026 Message undeliverable"
    assert event.data.contact_points == (BSUID,)


def test_a_changed_number_changes_both_contact_points() -> None:
    by_id, by_number = parse("whatsapp", "number-changed").events
    assert (by_id.data.previous, by_id.data.current) == (BSUID, "whatsapp:p1/SI.2222")
    assert (by_number.data.previous, by_number.data.current) == (PHONE, "tel:+38651765432")
    assert by_id.id != by_number.id
    assert by_id.data.conversation_id == only("text").data.conversation_id


def test_a_changed_id_without_any_number_is_understood() -> None:
    event = only("id-changed")
    assert event.type == "throughline.contact-point.changed.v1"
    assert (event.data.previous, event.data.current) == (BSUID, "whatsapp:p1/SI.3333")


def test_editing_and_deleting_name_the_original_message() -> None:
    edited, deleted = only("edited"), only("deleted")
    assert edited.data.message_id == deleted.data.message_id == only("text").data.message_id
    assert edited.data.text == "Where are my TWO parcels?"


def test_news_about_the_account_is_ignored_by_name() -> None:
    parsed = parse("whatsapp", "template-approved")
    assert (parsed.events, parsed.broken) == ((), ())
    assert parsed.ignored == ("message_template_status_update",)


def change(payload_body: bytes, edit: Callable[[bytes], bytes]) -> Any:
    return WhatsApp().parse(request("whatsapp", edit(payload_body)), ACCOUNT, NOW, IDS)


def test_a_lone_surrogate_is_replaced_and_nothing_is_lost() -> None:
    parsed = change(BODY, lambda body: body.replace(b"Dober", rb"\ud800 Dober"))
    assert parsed.events[0].data.text.startswith("\ufffd Dober")


def test_a_message_for_another_number_of_ours_is_put_aside() -> None:
    account = type(ACCOUNT)(
        "whatsapp", "main", ACCOUNT.secrets, {**ACCOUNT.options, "phone_number_id": "999"}
    )
    parsed = WhatsApp().parse(request("whatsapp", BODY), account, NOW, IDS)
    assert parsed.events == ()
    assert parsed.broken[0].error == "metadata.phone_number_id: another number's"


def test_a_text_longer_than_the_model_is_cut_and_says_so() -> None:
    parsed = change(BODY, lambda body: body.replace(b"Dober", b"a" * 70_000))
    assert parsed.events[0].data.truncated
    assert len(parsed.events[0].data.text) == 65_536


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b'{"object": "page"}',
        b'{"object": "whatsapp_business_account"}',
        b'{"object": "whatsapp_business_account", "entry": "x"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"object": NaN}',
    ],
)
def test_a_body_that_makes_no_sense_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        WhatsApp().parse(request("whatsapp", body), ACCOUNT, NOW, IDS)
