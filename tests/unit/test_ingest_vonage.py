"""Vonage: a signed token beside JSON, a signature inside the older form; messages and statuses."""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import pytest

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.vonage import token_of
from services.ingest.adapters.vonage import Vonage
from tests.support.builders_ingest import (
    ACCOUNTS,
    FORM,
    IDS,
    NOW,
    parse,
    payload,
    request,
    signed,
)

ACCOUNT = ACCOUNTS["vonage"]
SECRET = b"a-signature-secret-for-tests-only"
BODY = payload("vonage", "sms")
FORM_BODY = payload("vonage", "old-sms")
PHONE = "tel:+38640123456"
UNIX = int(NOW.timestamp())


def only(name: str) -> Any:
    """Return the one event of a fixture."""
    suffix = FORM if name.startswith("old-") else "application/json"
    given = RawRequest(payload("vonage", name), (("content-type", suffix.encode()),))
    parsed = Vonage().parse(given, ACCOUNT, NOW, IDS)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def claims(body: bytes = BODY, **changes: Any) -> dict[str, Any]:
    """Return the claims Vonage makes, unless changed; None leaves one out."""
    usual = {
        "iat": UNIX,
        "jti": "c5ba8f24-0000-4000-8000-000000000001",
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(body).hexdigest(),
        "api_key": "abcd1234",
        "application_id": "aaaaaaaa-0000-4000-8000-000000000001",
        **changes,
    }
    return {name: value for name, value in usual.items() if value is not None}


def theirs(secret: bytes = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    """Return a token made by PyJWT, which Vonage's own library uses."""
    return jwt.encode(claims(**changes), secret, algorithm=algorithm)


def verify(
    *values: str, body: bytes = BODY, account: ChannelAccount = ACCOUNT, now: datetime = NOW
) -> None:
    headers = tuple(("authorization", value.encode("latin-1")) for value in values)
    kind = ("content-type", b"application/json")
    Vonage().verify(RawRequest(body, (*headers, kind)), account, now)


def verify_form(body: bytes, now: datetime = NOW) -> None:
    given = RawRequest(body, (("content-type", FORM.encode()),))
    Vonage().verify(given, ACCOUNT, now)


def form(secret: bytes = SECRET, timestamp: int = UNIX, **more: str) -> bytes:
    """Return the older form, signed by hand."""
    fields = {**dict(parse_qsl(FORM_BODY.decode())), "timestamp": str(timestamp), **more}
    base = "".join(
        f"&{name}={value.replace('&', '_').replace('=', '_')}"
        for name, value in sorted(fields.items())
    )
    return urlencode(
        {**fields, "sig": hmac.new(secret, base.encode(), "sha256").hexdigest()}
    ).encode()


def recut() -> bytes:
    """Return a signed form with its first two fields made one, which is signed alike."""
    (first, one), (second, two), *others = sorted(parse_qsl(form().decode()))
    return urlencode([(f"{first}={one}&{second}", two), *others]).encode()


def test_a_token_made_by_another_library_is_accepted() -> None:
    verify(f"Bearer {theirs()}")


def test_a_token_of_ours_is_read_by_another_library() -> None:
    (value,) = signed("vonage", BODY).all("authorization")
    token = value.decode().removeprefix("Bearer ")
    found = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_iat": False})
    assert found["payload_hash"] == hashlib.sha256(BODY).hexdigest()


def test_an_old_secret_is_accepted_while_it_is_rotated() -> None:
    verify(f"Bearer {theirs(b'an-old-signature-secret-for-tests')}")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((), "missing"),
        (("",), "missing"),
        ((f"Bearer {theirs()}",) * 2, "doubled"),
        ((theirs(),), "malformed"),
        ((f"bearer {theirs()}",), "malformed"),
        (("Bearer a.b",), "malformed"),
        (("Bearer a.b.c.d",), "malformed"),
        ((f"Bearer {theirs()}=",), "malformed"),
        (("Bearer " + "A" * 5_000,), "malformed"),
        (("\xff",), "malformed"),
        ((f"Bearer {jwt.encode(claims(), None, algorithm='none')}",), "malformed"),
        ((f"Bearer {theirs(algorithm='HS512')}",), "malformed"),
        ((f"Bearer {token_of(claims(), SECRET, 'hs256')}",), "malformed"),
        ((f"Bearer {theirs(payload_hash=None)}",), "malformed"),
        ((f"Bearer {theirs(payload_hash='x')}",), "malformed"),
        ((f"Bearer {theirs(iat=None)}",), "malformed"),
        ((f"Bearer {theirs(b'a-secret-of-somebody-else-altogether')}",), "wrong"),
        ((f"Bearer {theirs(payload_hash='0' * 64)}",), "wrong"),
        ((f"Bearer {theirs(api_key='another1')}",), "wrong"),
        ((f"Bearer {theirs(iat=UNIX - 301)}",), "stale"),
        ((f"Bearer {theirs(iat=UNIX + 301)}",), "stale"),
        ((f"Bearer {theirs(exp=UNIX - 1)}",), "stale"),
    ],
)
def test_any_other_token_is_refused(values: tuple[str, ...], reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(*values)
    assert refused.value.reason == reason


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(f"Bearer {theirs()}", body=BODY.replace(b"Sunday", b"Monday"))
    assert refused.value.reason == "wrong"


def test_where_no_key_is_configured_any_key_of_the_secret_will_do() -> None:
    account = replace(ACCOUNT, options={})
    verify(f"Bearer {theirs(api_key='another1')}", account=account)


def test_the_sums_of_vonages_python_library_come_out() -> None:
    body = b"a=1&b=2&timestamp=1461605396&sig="
    sig = "a321e824b9b816be7c3f28859a31749a098713d39f613c80d455bbaffae1cd24"
    account = ChannelAccount("vonage", "main", {"signature_secret": (b"secret",)})
    then = datetime.fromtimestamp(1461605396, UTC)
    for written in (sig, sig.upper()):
        given = RawRequest(body + written.encode(), (("content-type", FORM.encode()),))
        Vonage().verify(given, account, then)


def test_an_older_form_signed_by_hand_is_accepted_with_awkward_values() -> None:
    verify_form(form())
    verify_form(form(b"an-old-signature-secret-for-tests", text="a&b=c&d"))


def test_a_form_that_names_no_key_is_accepted() -> None:
    without = dict(parse_qsl(payload("vonage", "old-receipt").decode()))
    assert "api-key" not in without
    given = RawRequest(urlencode(without).encode(), (("content-type", FORM.encode()),))
    Vonage().verify(Vonage().scheme.sign(given, ACCOUNT, NOW), ACCOUNT, NOW)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (FORM_BODY, "missing"),
        (form() + b"&sig=" + b"0" * 64, "doubled"),
        (form() + b"&text=again", "malformed"),
        (FORM_BODY + b"&sig=xyz", "malformed"),
        (FORM_BODY + b"&sig=" + b"0" * 32, "malformed"),
        (b"&".join(b"a%d=1" % n for n in range(2_000)), "malformed"),
        (FORM_BODY + b"&timestamp=1&sig=" + b"0" * 64, "wrong"),
        (form().replace(b"open", b"shut"), "wrong"),
        (form(b"somebody else's"), "wrong"),
        (form(**{"api-key": "another1"}), "wrong"),
        (recut(), "malformed"),
        (form(**{"a=1&b": "2"}), "malformed"),
        (form(**{"a&b": "2"}), "malformed"),
        (form(timestamp=UNIX - 301), "stale"),
        (form(timestamp=UNIX + 301), "stale"),
    ],
)
def test_any_other_form_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify_form(body)
    assert refused.value.reason == reason


def test_a_token_does_not_let_an_unsigned_form_in() -> None:
    token = f"Bearer {theirs(payload_hash=hashlib.sha256(FORM_BODY).hexdigest())}".encode()
    headers = (("content-type", FORM.encode()), ("authorization", token))
    with pytest.raises(SignatureRefused):
        Vonage().verify(RawRequest(FORM_BODY, headers), ACCOUNT, NOW)


def test_what_we_sign_we_accept_as_json_and_as_a_form() -> None:
    Vonage().verify(signed("vonage", BODY), ACCOUNT, NOW)
    plain = RawRequest(FORM_BODY, (("content-type", FORM.encode()),))
    Vonage().verify(
        Vonage().scheme.sign(plain, ACCOUNT, NOW), ACCOUNT, NOW + timedelta(seconds=299)
    )


def test_an_sms_counts_at_vonages_time() -> None:
    event = only("sms")
    assert event.data.channel == "sms"
    assert event.data.text == "Is the shop open on Sunday?"
    assert event.data.contact_points == (PHONE,)
    assert event.time == event.data.occurred_at == datetime(2026, 11, 3, 9, 10, tzinfo=UTC)
    assert event.data.reply_to == "sms:38640123456"
    assert event.data.raw is None


def test_emoji_and_right_to_left_text_arrive_unchanged() -> None:
    assert only("sms-emoji").data.text == "Hvala! 👩‍👩‍👧 👋🏽"
    assert only("sms-rtl").data.text == "שלום, مرحبا ‏abc"


def test_a_short_code_and_a_page_scoped_id_stay_within_the_channel_account() -> None:
    assert only("sms-short-code").data.contact_points == ("sms:vonage-main/12345",)
    messenger = only("messenger").data
    assert messenger.contact_points == ("messenger:vonage-main/1234567890123456",)
    assert messenger.channel == "social"


def test_a_picture_is_kept_by_reference_with_its_caption() -> None:
    event = only("whatsapp-image")
    assert (event.data.kind, event.data.text) == ("image", "It arrived like this")
    assert event.data.attachments[0].reference == "https://api-us.nexmo.com/v3/media/1"
    assert event.data.display_name == "Ana Kovač"
    assert event.data.channel == "messaging"


def test_a_quote_a_button_and_a_reaction_are_understood() -> None:
    assert only("whatsapp-reply").data.in_reply_to.endswith("90")
    assert only("whatsapp-button").data.text == "Opening hours"
    reaction = only("reaction")
    assert reaction.type == "throughline.message.reacted.v1"
    assert (reaction.data.reaction, reaction.data.removed) == ("❤️", False)


def test_what_vonage_cannot_carry_is_unknown_and_what_we_do_not_know_is_kept_whole() -> None:
    assert only("unsupported").data.kind == "unknown"
    event = only("unknown-kind")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert event.data.raw["hologram"] == {"depth": 3}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("status-submitted", "sent"),
        ("status-delivered", "delivered"),
        ("status-read", "read"),
        ("status-rejected", "failed"),
        ("status-unheard-of", "unknown"),
        ("old-receipt", "delivered"),
        ("old-receipt-failed", "failed"),
    ],
)
def test_a_status_is_about_the_customer_it_went_to(name: str, status: str) -> None:
    event = only(name)
    assert event.data.status == status
    assert event.data.contact_points == (PHONE,)


def test_statuses_of_a_message_are_events_of_their_own_in_the_customers_conversation() -> None:
    sent, delivered = only("status-submitted"), only("status-delivered")
    assert sent.id != delivered.id
    assert sent.data.conversation_id == only("sms").data.conversation_id


def test_a_failure_says_why() -> None:
    assert only("status-rejected").data.reason == "1260"
    assert only("old-receipt-failed").data.reason == "6"


def test_the_older_form_tells_the_same() -> None:
    event = only("old-sms")
    assert event.data.text == "Is the shop open & warm = today?"
    assert event.data.message_id == "0B0000001A2B3C01"
    assert event.data.conversation_id == only("sms").data.conversation_id
    assert event.time == datetime(2026, 11, 3, 9, 10, tzinfo=UTC)


def test_a_part_of_a_long_sms_keeps_what_joins_it() -> None:
    assert only("old-sms-part").data.raw["concat-ref"] == "7"


def test_a_message_without_a_sender_is_put_aside() -> None:
    assert parse("vonage", "no-sender").broken[0].error == "from: missing"


def test_what_names_no_message_is_unparseable() -> None:
    without = {k: v for k, v in json.loads(BODY).items() if k != "message_uuid"}
    with pytest.raises(Unparseable):
        Vonage().parse(request("vonage", json.dumps(without).encode()), ACCOUNT, NOW, IDS)
