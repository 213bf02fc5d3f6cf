"""Standard Webhooks: signatures as the specification and its own library make them; our events."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook

from services.ingest.adapters.contract import Parsed, Unparseable
from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.standard_webhooks import STANDARD_WEBHOOKS
from services.ingest.adapters.standard_webhooks import StandardWebhooksHook
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request

ACCOUNT = ACCOUNTS["standard-webhooks"]
BODY = payload("standard-webhooks", "message")
SECRET, OLD = (secret.decode() for secret in ACCOUNT.secrets["secret"])
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
ID, TIME, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def by_library(secret: str = SECRET, body: bytes = BODY, now: datetime = NOW) -> str:
    return Webhook(secret).sign("msg_1", now, body.decode())


GOOD = by_library()


def with_secrets(*secrets: str) -> ChannelAccount:
    active = tuple(secret.encode() for secret in secrets)
    return ChannelAccount("standard-webhooks", "shop", {"secret": active}, {})


def whole(prefix: str, key: bytes) -> str:
    return f"{prefix}_{base64.b64encode(key).decode()}"


def verify(
    *signatures: str,
    body: bytes = BODY,
    account: ChannelAccount = ACCOUNT,
    identity: tuple[bytes, ...] = (b"msg_1",),
    time: tuple[bytes, ...] = (str(int(NOW.timestamp())).encode(),),
    now: datetime = NOW,
) -> None:
    headers = (
        *((ID, value) for value in identity),
        *((TIME, value) for value in time),
        *((SIGNATURE, value.encode()) for value in signatures),
    )
    StandardWebhooksHook().verify(RawRequest(body, headers), account, now)


def only(parsed: Parsed) -> Any:
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def parse_body(body: Any, **headers: bytes) -> Parsed:
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    return StandardWebhooksHook().parse(
        request("standard-webhooks", written, **headers), ACCOUNT, NOW, IDS
    )


def test_what_the_official_library_signs_is_accepted() -> None:
    verify(by_library())
    verify(by_library(OLD))


def test_what_we_sign_is_accepted_by_the_official_library() -> None:
    signed = STANDARD_WEBHOOKS.sign(RawRequest(BODY), ACCOUNT, datetime.now(UTC))
    headers = {name: value.decode() for name, value in signed.headers}
    assert Webhook(SECRET).verify(BODY, headers) == json.loads(BODY)


def test_one_valid_signature_among_several_is_enough_and_unknown_versions_are_ignored() -> None:
    verify(f"v9,anything {by_library(whole('whsec', b'another'))} {GOOD}")


def test_ed25519_is_verified_with_the_senders_public_key() -> None:
    public = with_secrets(whole("whpk", PRIVATE.public_key().public_bytes_raw()))
    secret = with_secrets(whole("whsk", b"s" * 32 + PRIVATE.public_key().public_bytes_raw()))
    signed = STANDARD_WEBHOOKS.sign(RawRequest(BODY), secret, NOW)
    assert signed.signature(SIGNATURE).startswith("v1a,")
    STANDARD_WEBHOOKS.verify(signed, public, NOW)
    STANDARD_WEBHOOKS.verify(signed, secret, NOW)
    with pytest.raises(SignatureRefused):
        STANDARD_WEBHOOKS.verify(RawRequest(BODY + b" ", signed.headers), public, NOW)


def test_a_public_key_is_never_taken_for_a_shared_secret() -> None:
    public = PRIVATE.public_key().public_bytes_raw()
    with pytest.raises(SignatureRefused, match="refused"):
        verify(by_library(whole("whsec", public)), account=with_secrets(whole("whpk", public)))


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_***", "nonsense", "whpk_AAAA", "whsk_AAAA", "whpk_" + "A" * 43]
)
def test_a_secret_that_is_none_accepts_nothing(secret: str) -> None:
    for signature in (GOOD, "v1a," + base64.b64encode(b"0" * 64).decode()):
        with pytest.raises(SignatureRefused) as refused:
            verify(signature, account=with_secrets(secret))
        assert refused.value.reason == "wrong"


@pytest.mark.parametrize(
    ("signatures", "changes", "reason"),
    [
        ((), {}, "missing"),
        (("",), {}, "missing"),
        ((GOOD,), {"identity": ()}, "missing"),
        ((GOOD,), {"time": ()}, "missing"),
        ((GOOD, GOOD), {}, "doubled"),
        ((GOOD,), {"identity": (b"msg_1", b"msg_1")}, "doubled"),
        ((GOOD,), {"time": (b"1", b"1")}, "doubled"),
        (("v1",), {}, "malformed"),
        ((",x",), {}, "malformed"),
        (("v1,",), {}, "malformed"),
        (("v1,AAAA",), {}, "malformed"),
        ((GOOD + " ",), {}, "malformed"),
        ((GOOD.replace("=", ""),), {}, "malformed"),
        ((" ".join([GOOD] * 9),), {}, "malformed"),
        ((" ".join(["v9,a"] * 9),), {}, "malformed"),
        ((GOOD + "A" * 600,), {}, "malformed"),
        ((GOOD,), {"time": (b"soon",)}, "malformed"),
        ((GOOD,), {"time": (b"1793697300.5",)}, "malformed"),
        ((GOOD,), {"identity": (b"m" * 257,)}, "malformed"),
        ((GOOD,), {"identity": ("\u0161".encode(),)}, "malformed"),
        ((GOOD,), {"identity": (b"msg_2",)}, "wrong"),
        ((GOOD,), {"time": (b"1793697301",)}, "wrong"),
        ((GOOD,), {"body": BODY + b" "}, "wrong"),
        ((GOOD,), {"body": b""}, "wrong"),
        ((by_library("whsec_b3RoZXI="),), {}, "wrong"),
        (("v2," + GOOD[3:],), {}, "wrong"),
        ((GOOD,), {"now": NOW + timedelta(seconds=301)}, "stale"),
        ((GOOD,), {"now": NOW - timedelta(seconds=301)}, "stale"),
    ],
)
def test_anything_else_is_refused(
    signatures: tuple[str, ...], changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(*signatures, **changes)
    assert refused.value.reason == reason


def test_a_payload_as_the_specification_recommends_becomes_our_event() -> None:
    event = only(parse_body(BODY, webhook_id=b"msg_1"))
    assert event.type == "throughline.message.received.v1"
    assert event.time == datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
    assert event.data.provider_event_id == "msg_1"
    assert (event.data.provider, event.data.channel_account) == ("standard-webhooks", "shop")
    assert event.data.contact_points[0] == "email:ana.kovac@example.si"


def test_the_webhook_id_is_the_idempotency_key_whatever_the_attempt() -> None:
    first, again = (only(parse_body(BODY, webhook_id=b"msg_1")) for _ in range(2))
    assert first.id == again.id != only(parse_body(BODY, webhook_id=b"msg_2")).id


def test_a_cloud_event_keeps_its_own_id_and_source() -> None:
    event = only(parse("standard-webhooks", "reply-cloud-event"))
    assert (event.source, event.data.provider_event_id) == ("/test-shop", "9")
    assert event.data.in_reply_to == "m-8"


def test_both_forms_of_body_speak_of_one_conversation() -> None:
    first = only(parse("standard-webhooks", "message"))
    assert first.partitionkey == only(parse("standard-webhooks", "reply-cloud-event")).partitionkey


def test_a_type_we_do_not_know_is_kept_whole_if_it_names_a_customer() -> None:
    event = only(parse("standard-webhooks", "unknown-type"))
    assert event.type == "throughline.contact.unrecognised.v1"
    assert event.data.kind == "throughline.wish.made.v1"
    assert event.data.raw["data"]["wish"] == "gift wrapping"
    assert event.data.contact_points == ("email:ana.kovac@example.si", "shop:customer-17")


def test_a_type_that_names_nobody_is_ignored() -> None:
    assert parse("standard-webhooks", "foreign-type").ignored == ("foreign-type",)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("misspelt-field", "invalid: The event is not valid (txt: extra_forbidden)."),
        ("another-account", "forbidden-channel-account"),
    ],
)
def test_what_the_events_api_would_refuse_becomes_a_dead_letter(name: str, error: str) -> None:
    with pytest.raises(Unparseable) as refused:
        parse("standard-webhooks", name)
    assert refused.value.error.startswith(error)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"type": "x"}', b'{"data": {}}', b'{"type": 1, "data": {}}'],
)
def test_a_body_that_makes_no_sense_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        parse_body(body)


def test_an_unknown_type_with_contact_points_that_are_none_is_put_aside() -> None:
    data = {"contact_points": ["no scheme"]}
    parsed = parse_body({"type": "a.b", "data": data}, webhook_id=b"1")
    assert (parsed.events, parsed.broken[0].error) == ((), "invalid contact point")


def test_customer_records_do_not_come_by_this_door() -> None:
    data = {"contact_points": ["email:ana@example.si"], "recorded_at": "2026-11-03T09:00:00Z"}
    with pytest.raises(Unparseable) as refused:
        parse_body({"type": "throughline.customer.recorded.v1", "data": data})
    assert refused.value.error == "customer.recorded: not by this door"
