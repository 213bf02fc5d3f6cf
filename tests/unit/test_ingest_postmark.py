"""Postmark: a password in the URL, mail in parts or raw, and news of our own mail."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.contract import Parsed, Unparseable
from services.ingest.adapters.postmark import Postmark
from services.ingest.adapters.request import RawRequest, SignatureRefused
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, payload

ACCOUNT = ACCOUNTS["postmark"]
ANA = "email:ana.kovac@example.si"
MAIL = "883953f4-6105-42a2-a16a-77a8eac79483"


def parsed(name: str, **changes: Any) -> Parsed:
    body = {**json.loads(payload("postmark", name)), **changes}
    return Postmark().parse(RawRequest(json.dumps(body).encode()), ACCOUNT, NOW, IDS)


def only(name: str, **changes: Any) -> Any:
    found = parsed(name, **changes)
    assert found.broken == ()
    (event,) = found.events
    return event


def verify(*values: bytes) -> None:
    headers = tuple(("authorization", value) for value in values)
    Postmark().verify(RawRequest(b"{}", headers), ACCOUNT, NOW)


def basic(credentials: bytes) -> bytes:
    return b"Basic " + base64.b64encode(credentials)


def test_the_name_and_password_of_the_url_are_asked_for() -> None:
    verify(basic(b"postmark:a-password-of-the-tests"))
    verify(basic(b"postmark:the-old-password-here"))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((), "missing"),
        ((b"",), "missing"),
        ((basic(b"postmark:a-password-of-the-tests"),) * 2, "doubled"),
        ((b"Bearer x",), "malformed"),
        ((basic(b"postmark:"),), "wrong"),
        ((basic(b":a-password-of-the-tests"),), "wrong"),
        ((basic(b""),), "wrong"),
        ((b"Basic ",), "wrong"),
    ],
)
def test_any_other_password_is_refused(values: tuple[bytes, ...], reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(*values)
    assert refused.value.reason == reason


def test_a_mail_in_parts_is_read_as_a_whole_one() -> None:
    event = only("message")
    assert event.data.contact_points == (ANA,)
    assert (event.data.subject, event.data.text) == ("My parcel", "Where is my parcel?")
    assert event.data.html == "<p>Where is <b>my</b> parcel?</p>"
    assert (event.data.display_name, event.data.kind) == ("Ana Kovač", "text")
    assert event.data.message_id == "a1@mail.example.si"
    assert event.data.occurred_at == datetime(2026, 11, 3, 8, 59, 50, tzinfo=UTC)
    assert event.time == NOW


def test_the_mail_is_known_by_postmarks_own_id() -> None:
    event = only("message")
    assert event.data.provider_event_id == "22c74902-a0c1-4511-8044-000000000001"
    assert only("message", Tag="again").id == event.id


def test_an_answer_is_in_the_conversation_it_answers_without_what_it_quotes() -> None:
    event = only("reply")
    assert (event.data.text, event.data.in_reply_to) == ("Thank you!", "r1@example.com")
    assert event.data.conversation_id == only("message").data.conversation_id


def test_files_are_kept_with_the_mail_and_pictures_shown_in_it() -> None:
    invoice, logo = only("attachment").data.attachments
    assert (invoice.name, invoice.media_type, invoice.size) == ("račun.pdf", "application/pdf", 19)
    assert f'src="cid:{logo.reference.partition("#")[2]}"' in only("attachment").data.html


def test_a_raw_mail_is_preferred_to_its_parts() -> None:
    event = only("raw")
    assert (event.data.subject, event.data.text) == ("Račun", "Kje je račun?")
    assert parsed("raw").blobs[0].body.startswith(b"From: =?utf-8?q?")


def test_an_auto_reply_and_a_null_return_path_are_told_apart_from_people() -> None:
    assert only("out-of-office").data.automatic
    null = [{"Name": "Return-Path", "Value": "<>"}]
    assert only("message", Headers=null).data.kind == "bounce"


def test_a_reply_to_of_the_sender_is_where_to_answer() -> None:
    assert only("message", ReplyTo="desk@example.org").data.reply_to == "desk@example.org"


def test_news_of_our_mail_say_how_far_it_got_by_postmarks_clock() -> None:
    event = only("delivery")
    assert (event.data.message_id, event.data.status) == (MAIL, "delivered")
    assert event.data.contact_points == (ANA,)
    assert event.time == datetime(2026, 11, 3, 9, 0, 0, 123_000, tzinfo=UTC)


def test_a_bounce_says_why_and_a_passing_one_is_none() -> None:
    event = only("bounce")
    assert (event.data.status, event.data.reason) == ("failed", "smtp;550 5.1.1 No such mailbox")
    assert only("transient").data.status == "queued"
    assert only("bounce", Type="AutoResponder").type == "throughline.contact.unrecognised.v1"


def test_news_are_in_the_conversation_we_told_postmark_of() -> None:
    ours = IDS.conversation_id("postmark", ACCOUNT.name, "any")
    event = only("delivery", Metadata={"throughline-conversation": ours})
    assert event.data.conversation_id == ours
    other = only("delivery", Metadata={"throughline-conversation": "conv_nonsense"})
    assert other.data.conversation_id == only("delivery").data.conversation_id


def test_a_complaint_is_kept_whole() -> None:
    event = only("spam-complaint")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert (event.data.kind, event.data.raw["ID"]) == ("SpamComplaint", 44)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"RecordType": "Inbound"}'])
def test_a_body_that_makes_no_sense_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        Postmark().parse(RawRequest(body), ACCOUNT, NOW, IDS)


def test_news_about_nobody_are_put_aside() -> None:
    assert parsed("delivery", Recipient="").broken[0].error == "recipient: missing"
    assert parsed("delivery", MessageID=None).broken[0].error == "MessageID: missing"


def test_a_file_that_is_no_base64_is_kept_as_it_came() -> None:
    (file,) = only("message", Attachments=[{"Name": "x", "Content": "a"}]).data.attachments
    assert file.size == 1
