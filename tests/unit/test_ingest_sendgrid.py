"""SendGrid: a signature checked by a public key, mail in parts or raw, and news of our own mail."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key

from services.ingest.adapters.contract import Parsed, Unparseable
from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.sendgrid import SendGrid
from tests.support.builders_ingest import ACCOUNTS, FOLDERS, IDS, NOW, payload

ACCOUNT = ACCOUNTS["sendgrid"]
PUBLIC, OLD_PUBLIC = ACCOUNT.secrets["public_key"]
BODY = payload("sendgrid", "parsed")
TIME = str(int(NOW.timestamp())).encode()
SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
ANA = "email:ana.kovac@example.si"


def by_hand(which: int = 0, time: bytes = TIME, body: bytes = BODY) -> bytes:
    """Return the signature as SendGrid's page says: time and raw body, one behind the other."""
    key: Any = load_der_private_key(base64.b64decode(ACCOUNT.secrets["private_key"][which]), None)
    return base64.b64encode(key.sign(time + body, ECDSA(SHA256())))


GOOD = by_hand()


def verify(
    *signatures: bytes,
    times: tuple[bytes, ...] = (TIME,),
    body: bytes = BODY,
    account: ChannelAccount = ACCOUNT,
    now: datetime = NOW,
) -> None:
    headers = (*((SIGNATURE, s) for s in signatures), *((TIMESTAMP, t) for t in times))
    SendGrid().verify(RawRequest(body, headers), account, now)


def parsed(name: str, body: bytes | None = None) -> Parsed:
    given = payload("sendgrid", name) if body is None else body
    return SendGrid().parse(RawRequest(given, FOLDERS["sendgrid"].headers(name)), ACCOUNT, NOW, IDS)


def only(name: str, body: bytes | None = None) -> Any:
    found = parsed(name, body)
    assert found.broken == ()
    (event,) = found.events
    return event


def with_keys(*keys: bytes) -> ChannelAccount:
    return replace(ACCOUNT, secrets={"public_key": keys})


def test_a_signature_made_by_hand_is_accepted_with_either_key() -> None:
    verify(GOOD)
    verify(by_hand(1))


def test_a_key_may_stand_in_the_lines_of_pem() -> None:
    pem = b"-----BEGIN PUBLIC KEY-----\n" + PUBLIC[:64] + b"\n" + PUBLIC[64:]
    verify(GOOD, account=with_keys(pem + b"\n-----END PUBLIC KEY-----\n"))


@pytest.mark.parametrize(
    ("signatures", "changes", "reason"),
    [
        ((), {}, "missing"),
        ((GOOD,), {"times": ()}, "missing"),
        ((GOOD, GOOD), {}, "doubled"),
        ((GOOD,), {"times": (TIME, TIME)}, "doubled"),
        ((GOOD + b"!",), {}, "malformed"),
        ((GOOD,), {"times": (b"soon",)}, "malformed"),
        ((b"AAAA",), {}, "wrong"),
        ((GOOD,), {"body": BODY + b" "}, "wrong"),
        ((GOOD,), {"times": (b"1793697301",)}, "wrong"),
        ((GOOD,), {"account": with_keys(OLD_PUBLIC)}, "wrong"),
        ((GOOD,), {"account": with_keys(b"", b"nonsense", b"AAAA")}, "wrong"),
        ((GOOD,), {"now": NOW + timedelta(seconds=301)}, "stale"),
        ((GOOD,), {"now": NOW - timedelta(seconds=301)}, "stale"),
    ],
)
def test_any_other_signature_is_refused(
    signatures: tuple[bytes, ...], changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(*signatures, **changes)
    assert refused.value.reason == reason


def test_an_account_may_take_older_proofs() -> None:
    patient = replace(ACCOUNT, options={**ACCOUNT.options, "max_age_seconds": "259200"})
    verify(GOOD, account=patient, now=NOW + timedelta(days=3))
    with pytest.raises(SignatureRefused):
        verify(GOOD, account=patient, now=NOW + timedelta(days=3, seconds=1))


@pytest.mark.parametrize("written", ["", "-1", "x", "9999999", "٣"])
def test_an_age_that_is_none_is_the_usual_one(written: str) -> None:
    odd = replace(ACCOUNT, options={"max_age_seconds": written})
    with pytest.raises(SignatureRefused):
        verify(GOOD, account=odd, now=NOW + timedelta(seconds=301))


def test_a_mail_in_parts_is_read_as_a_whole_one() -> None:
    event = only("parsed")
    assert event.data.contact_points == (ANA,)
    assert (event.data.subject, event.data.text) == ("My parcel", "Where is my parcel?")
    assert event.data.html == "<p>Where is <b>my</b> parcel?</p>"
    assert event.data.display_name == "Ana Kovač"
    assert event.data.message_id == "a1@mail.example.si"
    assert event.time == NOW


def test_a_raw_mail_is_kept_byte_for_byte_whatever_its_charset() -> None:
    assert only("raw").data.text == "Kje je račun?"
    assert "Kje je račun?".encode("iso-8859-2") in parsed("raw").blobs[0].body


def test_each_text_is_read_in_the_charset_sendgrid_names() -> None:
    event = only("charsets")
    assert event.data.text == "Kje je moja pošiljka?"
    assert event.data.html == "<p>Kje je moja pošiljka?</p>"


def test_an_answer_is_in_the_conversation_it_answers() -> None:
    event = only("reply")
    assert (event.data.text, event.data.in_reply_to) == ("Thank you!", "r1@example.com")
    assert event.data.conversation_id == only("parsed").data.conversation_id


def test_files_are_kept_with_the_mail_and_pictures_shown_in_it() -> None:
    invoice, logo = only("attachment").data.attachments
    assert (invoice.name, invoice.media_type, invoice.size) == ("račun.pdf", "application/pdf", 19)
    assert f'src="cid:{logo.reference.partition("#")[2]}"' in only("attachment").data.html


def test_an_auto_reply_and_a_null_return_path_are_told_apart_from_people() -> None:
    assert only("out-of-office").data.automatic
    body = BODY.replace(b'"from":"ana.kovac@example.si"', b'"from":""')
    assert only("parsed", body).data.kind == "bounce"


def test_a_mail_without_headers_is_read_from_its_fields() -> None:
    body = b"from=Ana+%3Cana.kovac%40example.si%3E&subject=Hi&text=Hello"
    (event,) = SendGrid().parse(RawRequest(body), ACCOUNT, NOW, IDS).events
    assert (event.data.contact_points, event.data.subject) == ((ANA,), "Hi")
    assert event.data.text == "Hello"


def test_news_of_our_mail_come_in_batches_and_a_broken_one_spoils_none() -> None:
    found = parsed("events")
    assert [event.data.status for event in found.events] == [
        "queued",
        "delivered",
        "failed",
        "read",
    ]
    assert {event.data.message_id for event in found.events} == {"14c5d75ce93"}
    assert found.events[0].time == datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
    (broken,) = found.broken
    assert broken.error == "sg_event_id, event: missing"
    assert json.loads(broken.body) == [{"event": "delivered"}]


def test_news_are_in_the_conversation_we_told_sendgrid_of() -> None:
    ours = IDS.conversation_id("sendgrid", ACCOUNT.name, "any")
    told = json.loads(payload("sendgrid", "events"))[1]
    body = json.dumps([{**told, "throughline-conversation": ours}]).encode()
    assert only("events", body).data.conversation_id == ours


def test_a_complaint_is_kept_whole() -> None:
    event = only("spam-report")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert event.data.kind == "spamreport"


@pytest.mark.parametrize("body", [b"", b"a=b", b"[]", b"{}", b"[", b"--x\r\n\r\n", b"--boundary"])
def test_a_body_that_makes_no_sense_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        parsed("parsed", body)
