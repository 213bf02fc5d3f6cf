"""Twilio: what is signed is the configured URL and the form; messages and statuses."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from twilio.request_validator import RequestValidator

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.twilio import Twilio
from tests.support.builders_ingest import (
    ACCOUNTS,
    FORM,
    IDS,
    NOW,
    PUBLIC_URL,
    parse,
    payload,
    request,
    sign_twilio,
)

ACCOUNT = ACCOUNTS["twilio"]
BODY = payload("twilio", "sms")
GOOD = sign_twilio(BODY)
HEADER = "x-twilio-signature"
PHONE = "tel:+38640123456"


def only(name: str) -> Any:
    """Return the one event of a fixture."""
    parsed = parse("twilio", name)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def verify(
    *values: str,
    body: bytes = BODY,
    query: str = "",
    media_type: str = FORM,
    account: ChannelAccount = ACCOUNT,
) -> None:
    headers = tuple((HEADER, value.encode("latin-1")) for value in values)
    type_header = (("content-type", media_type.encode()),)
    Twilio().verify(RawRequest(body, (*headers, *type_header), query), account, NOW)


def account_at(url: str) -> ChannelAccount:
    return ChannelAccount("twilio", "main", ACCOUNT.secrets, {"public_url": url})


def sign_url(url: str) -> str:
    return base64.b64encode(hmac.new(b"auth-token", url.encode(), hashlib.sha1).digest()).decode()


def test_a_signature_computed_by_hand_is_accepted() -> None:
    # the example of Twilio's page: URL, then names and values sorted by name
    body = urlencode({"To": "+18005551212", "From": "+12349013030", "Digits": "1234"}).encode()
    signed = f"{PUBLIC_URL}Digits1234From+12349013030To+18005551212"
    verify(sign_url(signed), body=body)


def test_the_providers_signature_is_accepted() -> None:
    verify(GOOD)


def test_an_old_token_is_accepted_while_it_is_rotated() -> None:
    verify(sign_twilio(BODY, b"old-token"))


def test_equal_fields_count_once_and_empty_ones_count() -> None:
    verify(sign_url(f"{PUBLIC_URL}AA1B"), body=b"A=1&A=&B=&A=1")


@pytest.mark.parametrize(
    ("configured", "signed"),
    [
        ("https://hooks.example.com/x", "https://hooks.example.com:443/x"),
        ("https://hooks.example.com:443/x", "https://hooks.example.com/x"),
        ("https://hooks.example.com:8443/x", "https://hooks.example.com:8443/x"),
        ("https://hooks.example.com:8443/x", "https://hooks.example.com/x"),
        ("http://hooks.example.com/x", "http://hooks.example.com:80/x"),
    ],
)
def test_the_port_may_be_in_what_is_signed_or_not(configured: str, signed: str) -> None:
    verify(sign_twilio(BODY, url=signed), account=account_at(configured))


def test_the_query_is_signed_byte_for_byte() -> None:
    query = "a=%2F&b=c+d"
    verify(sign_twilio(BODY, url=f"{PUBLIC_URL}?{query}"), query=query)
    with pytest.raises(SignatureRefused):
        verify(sign_twilio(BODY, url=f"{PUBLIC_URL}?a=/&b=c+d"), query=query)


RECUT = "AccountSidAC1BodyIs it openFrom+38640123456"


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("shop=1AccountSidAC1", b"Body=Is+it+open&From=%2B38640123456"),
        ("shop=1AccountSidAC1BodyIs it open", b"From=%2B38640123456"),
        ("shop=1AccountSidAC1BodyIs it openFrom+38640123456", b""),
        ("shop=", b"1AccountSid=AC1&Body=Is+it+open&From=%2B38640123456"),
        ("shop", b"%3D1=&AccountSid=AC1&Body=Is+it+open&From=%2B38640123456"),
    ],
)
@pytest.mark.parametrize("configured", [PUBLIC_URL, f"{PUBLIC_URL}?shop=1"])
def test_a_signature_cannot_be_cut_anew_into_another_query_and_form(
    query: str, body: bytes, configured: str
) -> None:
    signature, account = sign_url(f"{PUBLIC_URL}?shop=1{RECUT}"), account_at(configured)
    whole = b"AccountSid=AC1&Body=Is+it+open&From=%2B38640123456"
    verify(signature, body=whole, query="shop=1", account=account)
    with pytest.raises(SignatureRefused) as refused:
        verify(signature, body=body, query=query, account=account)
    assert refused.value.reason == "wrong"


def test_a_text_that_names_a_body_hash_does_not_let_that_body_in() -> None:
    forged = b'{"forged":1}'
    digest = hashlib.sha256(forged).hexdigest()
    query = f"shop=1AccountSidAC1Body&bodySHA256={digest}&From+38640123456"
    signature, account = sign_url(f"{PUBLIC_URL}?{query}"), account_at(f"{PUBLIC_URL}?shop=1")
    form = {"AccountSid": "AC1", "Body": f"&bodySHA256={digest}&", "From": "+38640123456"}
    verify(signature, body=urlencode(form).encode(), query="shop=1", account=account)
    with pytest.raises(SignatureRefused):
        verify(signature, body=forged, query=query, media_type="application/json", account=account)


def json_request(body: bytes, signed_body: bytes) -> tuple[str, str]:
    query = f"bodySHA256={hashlib.sha256(signed_body).hexdigest()}"
    return query, sign_url(f"{PUBLIC_URL}?{query}")


def test_a_json_body_is_signed_by_its_hash_in_the_url() -> None:
    query, signature = json_request(b"{}", b"{}")
    verify(signature, body=b"{}", query=query, media_type="application/json")


def test_a_json_body_that_is_not_the_hashed_one_is_refused() -> None:
    query, signature = json_request(b'{"a":1}', b"{}")
    with pytest.raises(SignatureRefused) as refused:
        verify(signature, body=b'{"a":1}', query=query, media_type="application/json")
    assert refused.value.reason == "wrong"


def test_a_json_body_without_its_hash_is_refused() -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(sign_url(PUBLIC_URL), body=b"{}", media_type="application/json")
    assert refused.value.reason == "missing"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((), "missing"),
        (("",), "missing"),
        ((GOOD, GOOD), "doubled"),
        ((GOOD[:-1],), "malformed"),
        ((GOOD + "=",), "malformed"),
        ((" " + GOOD,), "malformed"),
        (("!" * 28,), "malformed"),
        (("AAAA",), "malformed"),
        ((base64.b64encode(b"x" * 32).decode(),), "malformed"),
        ((GOOD.replace("=", "") + "A",), "malformed"),
        (("A" * 5_000,), "malformed"),
        (("\xff",), "malformed"),
        ((base64.b64encode(b"x" * 20).decode(),), "wrong"),
        ((sign_twilio(BODY, b"another account's token"),), "wrong"),
        ((sign_twilio(BODY, b""),), "wrong"),
        ((sign_twilio(BODY, url="https://evil.example.com/hooks/twilio/main"),), "wrong"),
        ((sign_twilio(BODY, url=PUBLIC_URL.replace("main", "other")),), "wrong"),
        ((sign_twilio(BODY.replace(b"Sunday", b"Monday")),), "wrong"),
        ((sign_twilio(BODY + b"&Extra=1"),), "wrong"),
        ((sign_url(PUBLIC_URL),), "wrong"),
    ],
)
def test_any_other_signature_is_refused(values: tuple[str, ...], reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(*values)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("bodySHA256=xyz", "malformed"),
        ("bodySHA256=", "malformed"),
        (f"bodySHA256={'0' * 64}", "wrong"),
        (f"bodySHA256={'0' * 64}&bodySHA256={'0' * 64}", "doubled"),
        ("&".join(f"q{n}=1" for n in range(2_000)), "malformed"),
    ],
)
def test_a_body_hash_that_is_not_the_bodys_is_refused(query: str, reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(sign_twilio(BODY, url=f"{PUBLIC_URL}?{query}"), query=query)
    assert refused.value.reason == reason


def test_an_sms_counts_when_it_reaches_us_because_it_carries_no_time() -> None:
    event = only("sms")
    assert event.data.channel == "sms"
    assert event.data.text == "Is the shop open on Sunday?"
    assert event.data.contact_points == (PHONE,)
    assert event.data.occurred_at is None
    assert event.time == NOW
    assert event.data.raw is None


def test_emoji_and_right_to_left_text_arrive_unchanged() -> None:
    assert only("sms-emoji").data.text == "Hvala! 👩‍👩‍👧 שלום"


def test_an_empty_sms_is_still_a_message() -> None:
    assert (only("sms-empty").data.kind, only("sms-empty").data.text) == ("text", None)


def test_media_are_kept_by_reference() -> None:
    first, second = only("mms").data.attachments
    assert first.reference == "https://api.twilio.com/media/ME1"
    assert second.media_type == "video/mp4"
    assert only("mms").data.kind == "text"
    assert only("mms-only").data.kind == "image"


def test_a_short_code_is_a_contact_point_of_this_account_only() -> None:
    assert only("short-code").data.contact_points == ("sms:twilio-main/12345",)


def test_whatsapp_over_twilio_is_the_same_person_on_another_channel() -> None:
    event = only("whatsapp")
    assert event.data.channel == "messaging"
    assert event.data.contact_points == (PHONE,)
    assert event.data.display_name == "Ana Kovač"
    assert event.data.conversation_id != only("sms").data.conversation_id


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("status-sent", "sent"),
        ("status-delivered", "delivered"),
        ("status-undelivered", "failed"),
        ("status-unheard-of", "unknown"),
    ],
)
def test_a_status_belongs_to_the_customers_conversation(name: str, status: str) -> None:
    event = only(name)
    assert event.type == "throughline.delivery.changed.v1"
    assert event.data.status == status
    assert event.data.conversation_id == only("sms").data.conversation_id


def test_each_status_of_a_message_is_an_event_of_its_own() -> None:
    assert only("status-sent").id != only("status-delivered").id
    assert only("status-sent").data.message_id == only("status-delivered").data.message_id


def test_a_failure_says_why() -> None:
    assert only("status-undelivered").data.reason == "30003"


@pytest.mark.parametrize("name", ["sms", "sms-empty", "mms", "sms-rtl", "reply", "status-sent"])
def test_twilios_own_library_accepts_what_we_sign_and_we_what_it_signs(name: str) -> None:
    given = request("twilio", payload("twilio", name))
    (value,) = Twilio().scheme.sign(given, ACCOUNT, NOW).all(HEADER)
    fields = dict(parse_qsl(given.body.decode(), keep_blank_values=True))
    theirs = RequestValidator("auth-token")
    assert theirs.validate(PUBLIC_URL, fields, value.decode())
    verify(theirs.compute_signature(PUBLIC_URL, fields), body=given.body)


def test_an_answer_goes_where_the_message_came_from() -> None:
    assert only("sms").data.reply_to == "+38640123456"
    assert only("whatsapp").data.reply_to == "whatsapp:+38640123456"
    assert only("short-code").data.reply_to == "12345"


def test_a_quoted_message_is_what_it_replies_to() -> None:
    assert only("reply").data.in_reply_to == "SM90"


def test_a_listed_message_counts_when_twilio_had_it_under_the_same_id() -> None:
    listed = BODY + b"&DateSent=" + urlencode({"": "Tue, 03 Nov 2026 08:00:00 +0000"})[1:].encode()
    (event,) = Twilio().parse(request("twilio", listed), ACCOUNT, NOW, IDS).events
    assert event.id == only("sms").id
    assert event.time == event.data.occurred_at == datetime(2026, 11, 3, 8, 0, tzinfo=UTC)


def test_a_message_without_a_sender_is_put_aside() -> None:
    parsed = parse("twilio", "no-sender")
    assert parsed.events == ()
    assert parsed.broken[0].error == "From: missing"


@pytest.mark.parametrize("body", [b"", b"\xff\xff", payload("twilio", "call-not-a-message")])
def test_what_is_no_message_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        Twilio().parse(request("twilio", body), ACCOUNT, NOW, IDS)
