"""Mailgun: a proof inside the body, mail whole or in parts, and news of our own mail."""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from services.ingest.accounts import Door
from services.ingest.adapters.contract import Parsed, Unparseable
from services.ingest.adapters.mailgun import Mailgun
from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.base import tolerance_of
from services.ingest.store import COLLECTIONS, PROOFS
from tests.support.builders_ingest import (
    ACCOUNTS,
    FOLDERS,
    FORM,
    IDS,
    NOW,
    Fakes,
    our_message_id,
    payload,
)

ACCOUNT = ACCOUNTS["mailgun"]
KEY, OLD_KEY = ACCOUNT.secrets["signing_key"]
TIME, TOKEN = str(int(NOW.timestamp())), "t" * 50
ANA = "email:ana.kovac@example.si"


def request(name: str, body: bytes | None = None) -> RawRequest:
    given = payload("mailgun", name) if body is None else body
    return RawRequest(given, FOLDERS["mailgun"].headers(name))


def parsed(name: str, body: bytes | None = None) -> Parsed:
    return Mailgun().parse(request(name, body), ACCOUNT, NOW, IDS)


def only(name: str, body: bytes | None = None) -> Any:
    found = parsed(name, body)
    assert found.broken == ()
    (event,) = found.events
    return event


def by_hand(key: bytes = KEY, time: str = TIME, token: str = TOKEN) -> str:
    """Return the signature as Mailgun's page says: time and token, one behind the other."""
    return hmac.new(key, f"{time}{token}".encode(), hashlib.sha256).hexdigest()


def form(*more: tuple[str, str], **changes: str | None) -> RawRequest:
    fields = {"timestamp": TIME, "token": TOKEN, "signature": by_hand(), **changes}
    pairs = [(name, value) for name, value in fields.items() if value is not None]
    body = urlencode([*pairs, *more, ("body-plain", "Hi")]).encode()
    return RawRequest(body, (("content-type", FORM.encode()),))


def verify(given: RawRequest, account: ChannelAccount = ACCOUNT, now: datetime = NOW) -> None:
    Mailgun().verify(given, account, now)


def test_a_signature_made_by_hand_is_accepted_with_either_key() -> None:
    verify(form())
    verify(form(signature=by_hand(OLD_KEY)))


@pytest.mark.parametrize("name", ["parsed", "attachment", "delivered"])
def test_each_kind_of_body_carries_its_own_proof(name: str) -> None:
    good = Mailgun().scheme.sign(request(name), ACCOUNT, NOW)
    verify(good)
    with pytest.raises(SignatureRefused):
        verify(request(name))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (form(signature=None), "missing"),
        (form(token=None), "missing"),
        (form(timestamp=None), "missing"),
        (form(signature=""), "missing"),
        (form(("signature", by_hand())), "doubled"),
        (form(("token", "")), "doubled"),
        (form(signature="zz" * 32), "malformed"),
        (form(signature=by_hand().upper()), "malformed"),
        (form(signature=by_hand()[:-2]), "malformed"),
        (form(timestamp="soon", signature=by_hand(time="soon")), "malformed"),
        (form(token="t" * 101, signature=by_hand(token="t" * 101)), "malformed"),
        (form(signature=by_hand(b"another key")), "wrong"),
        (form(token="u" * 50), "wrong"),
        (form(timestamp=str(int(TIME) + 1)), "wrong"),
        (RawRequest(b'{"signature": {"timestamp": 1}}'), "malformed"),
        (RawRequest(b'{"signature": "x"}'), "missing"),
        (RawRequest(b"{"), "malformed"),
        (RawRequest(b"--x"), "malformed"),
        (RawRequest(b""), "missing"),
    ],
)
def test_any_other_proof_is_refused(given: RawRequest, reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(given)
    assert refused.value.reason == reason


def test_a_proof_counts_for_five_minutes_unless_the_account_says_more() -> None:
    late = NOW + timedelta(seconds=301)
    with pytest.raises(SignatureRefused) as refused:
        verify(form(), now=late)
    assert refused.value.reason == "stale"
    patient = replace(ACCOUNT, options={**ACCOUNT.options, "max_age_seconds": "32400"})
    verify(form(), patient, late)
    with pytest.raises(SignatureRefused):
        verify(form(), patient, NOW + timedelta(seconds=32_401))


def test_the_token_counts_for_one_body() -> None:
    assert Mailgun().once(form()) == TOKEN


async def test_a_token_counts_for_one_body_at_all_accounts_that_share_a_key() -> None:
    intake = Fakes().intake()
    main, other = (Door(Mailgun(), replace(ACCOUNT, name=name)) for name in ("main", "other"))
    genuine = form(**{"body-mime": "From: ana@example.com\r\n\r\nGenuine"})
    forged = form(**{"body-mime": "From: ana@example.com\r\n\r\nForged"})
    await intake.accept(main, genuine)
    await intake.accept(main, genuine)  # a provider's retry
    for door in (main, other):
        with pytest.raises(SignatureRefused) as refused:
            await intake.accept(door, forged)
        assert refused.value.reason == "reused"


def test_a_token_is_remembered_for_longer_than_any_option_lets_it_count() -> None:
    patient = replace(ACCOUNT, options={**ACCOUNT.options, "max_age_seconds": "999999"})
    (proofs,) = (one for one in COLLECTIONS if one.name == PROOFS)
    (index,) = proofs.indexes
    assert index.expire_after is not None
    assert index.expire_after > tolerance_of(patient)


def test_a_mail_in_parts_is_read_as_a_whole_one() -> None:
    event = only("parsed")
    assert event.type == "throughline.message.received.v1"
    assert event.data.contact_points == (ANA,)
    assert (event.data.subject, event.data.text) == ("My parcel", "Where is my parcel?")
    assert event.data.html == "<p>Where is <b>my</b> parcel?</p>"
    assert event.data.display_name == "Ana Kovač"
    assert event.data.message_id == "a1@mail.example.si"
    assert event.data.occurred_at == datetime(2026, 11, 3, 8, 59, 50, tzinfo=UTC)
    assert event.time == NOW  # a Date is the sender's claim


def test_a_raw_mail_is_read_as_by_smtp() -> None:
    event = only("raw")
    assert (event.data.subject, event.data.text) == ("Račun", "Kje je račun?")
    assert parsed("raw").blobs[0].body.startswith(b"From: =?utf-8?q?")


def test_an_answer_is_in_the_conversation_it_answers_without_what_it_quotes() -> None:
    event = only("reply")
    assert event.data.in_reply_to == "r1@example.com"
    assert event.data.text == "Thank you!"
    assert event.data.conversation_id == only("parsed").data.conversation_id


def test_files_are_kept_with_the_mail_and_pictures_shown_in_it() -> None:
    found = parsed("attachment")
    (event,) = found.events
    (blob,) = found.blobs
    invoice, logo = event.data.attachments
    assert (invoice.name, invoice.media_type, invoice.size) == ("račun.pdf", "application/pdf", 19)
    assert (logo.name, logo.media_type) == ("logo.png", "image/png")
    assert invoice.reference.startswith(f"blob:{blob.id}#")
    assert f'src="cid:{logo.reference.partition("#")[2]}"' in event.data.html


def test_files_that_a_store_route_keeps_come_by_reference() -> None:
    (file,) = only("stored").data.attachments
    assert file.reference.startswith("https://storage.example.com/")
    assert (file.name, file.media_type, file.size) == ("invoice.pdf", "application/pdf", 20202)


def test_an_auto_reply_is_marked_as_one() -> None:
    assert only("out-of-office").data.automatic


def test_a_form_without_the_list_of_headers_is_read_from_its_fields() -> None:
    event = only("no-headers")
    assert event.data.contact_points == (ANA,)
    assert (event.data.subject, event.data.text) == ("My parcel", "An older form")


def test_a_bounce_comes_from_nobody() -> None:
    body = payload("mailgun", "parsed").replace(b"sender=ana.kovac%40example.si", b"sender=")
    assert only("parsed", body).data.kind == "bounce"


def test_the_same_mail_posted_again_is_the_same_event_whatever_its_token() -> None:
    again = payload("mailgun", "parsed").replace(b"50d8aa1f", b"11111111")
    assert only("parsed", again).id == only("parsed").id


def test_news_of_our_mail_say_how_far_it_got_by_mailguns_clock() -> None:
    event = only("delivered")
    assert event.type == "throughline.delivery.changed.v1"
    assert (event.data.message_id, event.data.status) == ("reply-1@example.com", "delivered")
    assert event.time == datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


def test_a_lasting_failure_says_why_and_a_passing_one_is_none() -> None:
    assert (only("failed").data.status, only("failed").data.reason) == (
        "failed",
        "5.1.1 No such mailbox",
    )
    assert only("delayed").data.status == "queued"


def test_news_of_a_mail_with_our_own_message_id_are_in_its_conversation() -> None:
    conversation = IDS.conversation_id("mailgun", "support", "any")
    ours = our_message_id("reply-1", conversation, ANA)
    body = payload("mailgun", "delivered").replace(b"reply-1@example.com", ours.encode())
    assert only("delivered", body).data.conversation_id == conversation


def test_a_complaint_is_kept_whole() -> None:
    event = only("complained")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert (event.data.kind, event.data.contact_points) == ("complained", (ANA,))
    assert event.data.raw["recipient"] == "ana.kovac@example.si"


@pytest.mark.parametrize("body", [b"", b"a=b", b"{}", b'{"event-data": []}', b"--x\r\n\r\n"])
def test_a_body_that_makes_no_sense_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        parsed("parsed", body)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (b'{"event-data": {"event": "delivered"}}', "id, event: missing"),
        (b'{"event-data": {"event": "delivered", "id": "1"}}', "recipient: missing"),
    ],
)
def test_news_about_nobody_are_put_aside(told: bytes, error: str) -> None:
    assert parsed("delivered", told).broken[0].error == error
