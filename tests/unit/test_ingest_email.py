"""E-mail in every state people's programs leave it in."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.email import Email
from services.ingest.adapters.mail.parts import file_of
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.domain import limits
from services.ingest.domain.plus_address import plus_token, with_token
from tests.support.builders_ingest import (
    ACCOUNTS,
    IDS,
    NOW,
    our_message_id,
    parse,
    payload,
    request,
)

ACCOUNT = ACCOUNTS["email"]
ANA = "email:ana.kovac@example.si"
QUICK = 5.0  # seconds of the processor's time: what a mail may take; what is quadratic takes more


def only(name: str, **envelope: bytes) -> Any:
    """Return the one event of a fixture."""
    parsed = parse("email", name, **envelope)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def mail(body: bytes) -> Any:
    """Return the one event of a mail."""
    (event,) = Email().parse(request("email", body), ACCOUNT, NOW, IDS).events
    return event


def test_a_plain_mail_tells_who_wrote_what() -> None:
    data = only("plain").data
    assert data.contact_points == (ANA,)
    assert data.display_name == "Ana Kovac"
    assert data.subject == "Lid broken"
    assert data.text == "Hello,\nthe lid of my box is broken.\n\nAna"
    assert (data.message_id, data.kind, data.automatic) == ("m1@example.si", "text", False)


def test_the_date_is_kept_as_a_claim_and_counts_for_nothing() -> None:
    event = only("plain")
    assert event.data.occurred_at == datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
    assert event.time == NOW


def test_the_raw_mail_is_kept_before_the_event_refers_to_it() -> None:
    parsed = parse("email", "plain")
    (blob,) = parsed.blobs
    assert blob.body == payload("email", "plain")
    assert parsed.events[0].data.original == f"blob:{blob.id}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("reply-top", "Yes, the blue one."),
        ("reply-outlook-german", "Der blaue, bitte."),
        ("html-only", "Pokrov škripa.\nHvala\nAna"),
        ("attachment", "See the photo."),
        ("lying-charset", "Škripa."),
        ("unknown-charset", "café"),
        ("no-headers", "Just text."),
        ("nul-bytes", "a\0b"),
        ("mime-nested", "The lid is broken."),
        ("flowed", "The lid of my box is broken.\n\nFrom the shop in Kranj.\n-- \nAna"),
        ("forwarded", "Please see below."),
        ("raw-8bit-headers", "Raw."),
        ("bare-lf", "Only\nline feeds."),
        ("boundary-missing", "Text without a boundary."),
        ("smime-signed", "Signed words."),
        ("rtl", "שלום, המכסה שבור."),
        ("emoji", "Thank you! 👩‍👩‍👧‍👦🎁"),
        ("attachment-only", None),
        ("pgp-encrypted", None),
        ("digest", None),
    ],
)
def test_the_newest_text_is_found(name: str, text: str | None) -> None:
    assert only(name).data.text == text


def test_answers_between_the_lines_keep_the_lines() -> None:
    text = only("reply-between").data.text
    assert "> Which colour?\nBlue." in text
    assert text.endswith("Large.")


def test_a_reply_stays_in_the_conversation_it_answers() -> None:
    first, reply = only("plain"), only("reply-top")
    assert reply.data.conversation_id == first.data.conversation_id
    assert reply.data.in_reply_to == "a2@example.com"


def test_a_stranger_who_quotes_a_thread_joins_nothing() -> None:
    body = payload("email", "reply-top").replace(b"ana.kovac@", b"mallory@")
    assert mail(body).data.conversation_id != only("plain").data.conversation_id


def answer_address(conversation: str) -> str:
    """Return where we ask a customer to answer."""
    address = with_token("support@example.com", plus_token(IDS, conversation))
    assert address is not None
    return address


def answer(our_id: str, sender: bytes = b"ana.kovac@example.si") -> bytes:
    """Return a mail that answers one of ours, with In-Reply-To only."""
    head = b"From: %s\r\nMessage-ID: <x@example.si>\r\nIn-Reply-To: <%s>\r\n\r\nYes.\r\n"
    return head % (sender, our_id.encode())


def test_an_answer_to_our_message_id_is_in_its_conversation_for_whom_it_went_to() -> None:
    conversation = only("plain").data.conversation_id
    ours = our_message_id("reply-1", conversation, ANA)
    assert mail(answer(ours)).data.conversation_id == conversation
    assert mail(answer(ours, b"mallory@example.si")).data.conversation_id != conversation


def test_the_address_we_gave_for_answers_leads_to_its_conversation_from_anybody() -> None:
    conversation = only("plain").data.conversation_id
    address = answer_address(conversation)
    asked = RawRequest(
        b"From: colleague@example.si\r\n\r\nI answer for Ana.\r\n",
        (("envelope-from", b"colleague@example.si"), ("envelope-to", address.upper().encode())),
    )
    (event,) = Email().parse(asked, ACCOUNT, NOW, IDS).events
    assert event.data.conversation_id == conversation
    assert event.data.contact_points == ("email:colleague@example.si",)


def test_a_token_in_the_to_header_counts_where_the_relay_rewrote_the_envelope() -> None:
    conversation = only("plain").data.conversation_id
    address = answer_address(conversation)
    body = b"From: a@example.si\r\nTo: Support <%s>\r\n\r\nx\r\n" % address.encode()
    assert mail(body).data.conversation_id == conversation


def test_a_reused_message_id_is_another_message() -> None:
    body = payload("email", "plain").replace(b"lid of my box", b"lid of my other box")
    again = mail(body)
    assert again.id != only("plain").id
    assert again.data.message_id == only("plain").data.message_id


def test_attachments_are_listed_by_reference_with_harmless_names() -> None:
    event = only("attachment")
    picture, inner = event.data.attachments
    assert picture.name == "lid.png"
    assert (picture.media_type, picture.size) == ("image/png", 5)
    assert picture.reference.startswith(f"{event.data.original}#")
    assert inner.media_type == "message/rfc822"
    assert picture.reference != inner.reference


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("html-only", "Pokrov škripa"),
        ("words-broken", "škrip café =?utf-8?B?!!!?= č"),
        ("raw-8bit-headers", "Pokrov škripa"),
        ("rtl", "שלום"),
        ("no-message-id", None),
    ],
)
def test_subjects_are_decoded(name: str, subject: str | None) -> None:
    assert only(name).data.subject == subject


@pytest.mark.parametrize(
    ("name", "display_name"),
    [("words-broken", "Ana Kovač"), ("raw-8bit-headers", "Ana Kovač"), ("idn", "Žiga")],
)
def test_names_are_decoded_however_they_are_written(name: str, display_name: str) -> None:
    assert only(name).data.display_name == display_name


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("calendar", [("text/calendar", "invite.ics")]),
        ("winmail", [("application/ms-tnef", "winmail.dat")]),
        ("smime-signed", [("application/pkcs7-signature", "smime.p7s")]),
        ("forwarded", [("message/rfc822", None)]),
        ("digest", [("message/rfc822", None), ("message/rfc822", None)]),
        ("mime-nested", [("image/png", "lid.png"), ("application/pdf", "invoice.pdf")]),
        ("attachment-only", [("application/pdf", "scan.pdf")]),
        (
            "pgp-encrypted",
            [("application/pgp-encrypted", None), ("application/octet-stream", "encrypted.asc")],
        ),
        (
            "name-rfc2231",
            [
                ("application/pdf", "račun €.pdf"),
                ("image/png", "slika št. 1.png"),
                ("image/png", "passwd"),
            ],
        ),
    ],
)
def test_what_came_along_is_kept_as_attachments(name: str, files: list[Any]) -> None:
    attachments = only(name).data.attachments
    assert [(file.media_type, file.name) for file in attachments] == files


def test_an_attachment_is_found_again_by_its_reference() -> None:
    invoice = only("mime-nested").data.attachments[1]
    leaf = file_of(payload("email", "mime-nested"), int(invoice.reference.rpartition("#")[2]))
    assert leaf is not None
    assert (leaf.body, leaf.name) == (b"%PDF-", "invoice.pdf")
    assert file_of(payload("email", "mime-nested"), 99) is None


def test_a_picture_in_the_text_is_the_attachment_with_its_number() -> None:
    data = only("mime-nested").data
    number = data.attachments[0].reference.rpartition("#")[2]
    assert f'<img src="cid:{number}" alt="lid">' in data.html


def test_hostile_html_keeps_its_words_and_nothing_else() -> None:
    html = only("html-hostile").data.html
    assert "Good <b>day</b>" in html
    assert 'href="https://shop.example.si/?a=1&amp;b=2"' in html
    for danger in ("track.example.net", "javascript", "data:", "svg", "script", "on", "style"):
        inside_tags = "".join(part.partition(">")[0] for part in html.split("<")[1:])
        assert danger not in inside_tags.replace("noopener", "")


def test_an_undeclared_language_is_not_guessed() -> None:
    assert (only("rtl").data.locale, only("plain").data.locale) == ("he", None)


def test_a_mail_without_a_message_id_is_named_by_what_it_is() -> None:
    data = only("no-message-id").data
    assert data.message_id == data.provider_event_id
    assert data.occurred_at is None


def test_a_date_in_the_future_counts_when_it_arrives() -> None:
    event = only("future-date")
    assert event.time == NOW
    assert event.data.occurred_at > NOW


def test_an_answer_goes_where_the_customer_asks_but_the_mail_is_the_senders() -> None:
    data = only("reply-to").data
    assert data.reply_to == "ana.home@example.org"
    assert data.contact_points == (ANA,)


def test_a_form_that_writes_our_own_address_is_its_customers() -> None:
    data = only("web-form").data
    assert data.contact_points == ("email:maja@example.si",)
    assert (data.reply_to, data.display_name, data.automatic) == (
        "maja@example.si",
        "Maja Zupan",
        False,
    )


def test_an_international_address_is_a_contact_point() -> None:
    assert only("idn").data.contact_points == ("email:žiga@xn--ebela-gya.example",)


def test_a_case_reference_in_the_subject_goes_along_for_those_who_know_the_sender() -> None:
    event = only("case-in-subject")
    assert event.data.raw == {"case_reference": "7KF-M3X-QPW"}
    wrong = payload("email", "case-in-subject").replace(b"7KF-M3X-QPW", b"7KF-M3X-QPX")
    assert mail(wrong).data.raw is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("bounce", "bounce"),
        ("out-of-office", "auto-reply"),
        ("out-of-office-by-subject", "auto-reply"),
        ("newsletter-one-click", "newsletter"),
        ("loop", "loop"),
    ],
)
def test_automatic_mail_is_marked_and_never_answered(name: str, kind: str) -> None:
    data = only(name).data
    assert (data.kind, data.automatic) == (kind, True)
    assert data.raw["never_answer"] == kind


def test_mail_through_a_group_address_is_a_customers_but_no_machine_answers_it() -> None:
    data = only("group-address").data
    assert (data.kind, data.automatic) == ("text", False)
    assert data.raw == {"never_answer": "list"}


@pytest.mark.parametrize(
    "header",
    [
        b"X-Autoreply: yes",
        b"Preference: auto_reply",
        b"X-Precedence: auto_reply",
        b"Precedence: auto_reply",
    ],
)
def test_what_says_in_another_way_that_a_machine_answered_is_an_auto_reply(header: bytes) -> None:
    assert mail(header + b"\r\n" + payload("email", "plain")).data.kind == "auto-reply"


def test_who_wants_no_automatic_answer_is_still_a_customer() -> None:
    data = mail(b"X-Auto-Response-Suppress: OOF\r\n" + payload("email", "plain")).data
    assert (data.kind, data.automatic, data.raw) == ("text", False, {"never_answer": "suppressed"})


def test_an_auto_reply_with_the_null_sender_is_no_bounce() -> None:
    assert only("out-of-office", envelope_from=b"<>").data.kind == "auto-reply"


def test_mail_that_went_in_circles_is_a_loop() -> None:
    hops = b"Received: from a by b; Tue, 03 Nov 2026 10:00:00 +0100\r\n"
    assert mail(hops * limits.MAIL_HOPS + payload("email", "plain")).data.kind == "text"
    assert mail(hops * (limits.MAIL_HOPS + 1) + payload("email", "plain")).data.kind == "loop"


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("bounce-of-ours", "failed", "5.1.1 550 5.1.1 No such user"),
        ("bounce-delayed", "queued", "4.4.1 delayed"),
        ("bounce-free-text", "failed", "5.1.1"),
    ],
)
def test_a_bounce_marks_our_message_and_whom_it_did_not_reach(
    name: str, status: str, reason: str
) -> None:
    message, delivery = parse("email", name).events
    assert (message.data.kind, message.data.automatic, message.data.reply_to) == (
        "bounce",
        True,
        None,
    )
    assert delivery.type == "throughline.delivery.changed.v1"
    assert (delivery.data.message_id, delivery.data.status) == ("a2@example.com", status)
    assert delivery.data.reason == reason
    assert delivery.data.contact_points == message.data.contact_points == (ANA,)
    assert delivery.data.conversation_id == message.data.conversation_id


def test_a_bounce_with_our_headers_is_in_the_conversation_it_is_about() -> None:
    bounce = parse("email", "bounce-of-ours").events[0]
    assert bounce.data.conversation_id == only("plain").data.conversation_id


def test_a_bounce_of_mail_that_was_passed_on_is_the_recipients_we_signed_it_for() -> None:
    conversation = only("plain").data.conversation_id
    ours = our_message_id("reply-1", conversation, ANA)
    body = payload("email", "bounce-of-ours").replace(b"a2@example.com", ours.encode())
    passed_on = body.replace(b"Original-Recipient: rfc822;ana.kovac@example.si\r\n", b"")
    _, delivery = Email().parse(request("email", passed_on), ACCOUNT, NOW, IDS).events
    assert delivery.data.contact_points == (ANA,)
    assert delivery.data.conversation_id == conversation


def test_a_read_receipt_is_only_a_receipt() -> None:
    (delivery,) = parse("email", "read-receipt").events
    assert (delivery.data.message_id, delivery.data.status) == ("a2@example.com", "read")


def test_a_receipt_whose_fields_are_in_two_groups_is_read_whole() -> None:
    apart = payload("email", "read-receipt").replace(b"\nFinal-", b"\nReporting-UA: x\n\nFinal-")
    apart = apart.replace(b"\r\n", b"\n")
    (delivery,) = Email().parse(request("email", apart), ACCOUNT, NOW, IDS).events
    assert (delivery.data.message_id, delivery.data.status) == ("a2@example.com", "read")


def test_a_report_about_many_recipients_is_bounded() -> None:
    block = b"\r\nFinal-Recipient: rfc822; n%d@example.si\r\nAction: failed\r\n"
    many = b"".join(block % number for number in range(100))
    body = payload("email", "bounce-of-ours").replace(b"\r\nOriginal-Recipient", many + b"\r\nX")
    events = Email().parse(request("email", body), ACCOUNT, NOW, IDS).events
    assert len(events) == 1 + limits.MAIL_REPORTED


def test_a_mail_from_nobody_is_a_bounce() -> None:
    event = only("plain", envelope_from=b"")
    assert (event.data.kind, event.data.automatic) == ("bounce", True)


def test_a_newsletter_opens_no_case_but_a_group_address_does() -> None:
    assert only("newsletter").data.automatic
    body = payload("email", "newsletter").replace(b"Precedence: bulk", b"Precedence: list")
    assert not mail(body).data.automatic


def test_without_a_from_the_envelope_says_who() -> None:
    assert only("no-from").data.contact_points == (ANA,)


def test_without_any_sender_each_mail_is_its_own_stranger() -> None:
    event = only("no-from", envelope_from=b"")
    assert event.data.contact_points[0].startswith("email-unknown:")


def test_of_several_senders_the_first_counts() -> None:
    assert only("several-from").data.contact_points == ("email:first@example.si",)


@pytest.mark.parametrize("name", ["absurd-date", "broken-base64", "no-headers"])
def test_nonsense_is_read_as_far_as_it_goes(name: str) -> None:
    assert only(name).data.provider_event_id.startswith("mail-")


def test_an_absurd_date_is_no_claim() -> None:
    assert only("absurd-date").data.occurred_at is None


@pytest.mark.parametrize(
    "recipient",
    [b"support@example.com", b"Support@Example.com", b"support+case7@example.com"],
)
def test_the_envelope_names_the_mailbox(recipient: bytes) -> None:
    asked = request("email", b"")
    named = type(asked)(b"", (("envelope-to", recipient),))
    Email().verify(named, ACCOUNT, NOW)


@pytest.mark.parametrize(
    ("recipients", "reason"),
    [
        ((), "missing"),
        ((b"sales@example.com",), "wrong"),
        ((b"support@example.net",), "wrong"),
        ((b"supportx@example.com",), "wrong"),
        ((b"",), "wrong"),
    ],
)
def test_mail_for_anybody_else_is_refused(recipients: tuple[bytes, ...], reason: str) -> None:
    asked = request("email", b"")
    named = type(asked)(b"", tuple(("envelope-to", recipient) for recipient in recipients))
    with pytest.raises(SignatureRefused) as refused:
        Email().verify(named, ACCOUNT, NOW)
    assert refused.value.reason == reason


def nested(depth: int) -> bytes:
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(depth)
    )
    return b"From: a@example.si\r\n" + head + b"\r\nx\r\n"


def with_parts(count: int) -> bytes:
    return (
        b"From: a@example.si\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\n\r\nx\r\n" * count
        + b"--b--\r\n"
    )


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (nested(limits.MAIL_DEPTH + 2), "mail: too deep"),
        (nested(5_000), "mail: too deep"),
        (with_parts(limits.MAIL_PARTS + 1), "mail: too many parts"),
        (b"From: a@example.si\r\nX: " + b"x" * 1_000 + b"\r\n\r\n", "headers: line too long"),
        (b"From: a@example.si\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", "headers: too large"),
        (
            with_parts(1).replace(
                b"--b\r\n", b"--b\r\nContent-Type: text/plain; a=" + b"(" * 9_000
            ),
            "part header: too long",
        ),
        (b"\n" * (limits.MAIL_LINES + 1), "mail: too many lines"),
        (b"x" * (limits.MAIL + 1), "mail: too large"),
    ],
)
def test_a_bomb_is_refused_before_it_goes_off(body: bytes, error: str) -> None:
    with pytest.raises(Unparseable) as refused:
        Email().parse(request("email", body), ACCOUNT, NOW, IDS)
    assert refused.value.error == error


@contextmanager
def quick() -> Iterator[None]:
    """Fail if it takes more of the processor's time than a mail of this size ever should."""
    started = time.process_time()
    yield
    assert time.process_time() - started < QUICK


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 500_000,
        "On " * 160_000,
        "On a wrote:\n" * 40_000,
        ">" * 500_000,
        "_" * 500_000,
        "From: a\n" * 60_000,
        "> x\n" * 120_000,
        "- " * 250_000,
    ],
)
def test_no_text_makes_finding_the_newest_part_slow(text: str) -> None:
    with quick():
        assert mail(b"From: a@example.si\r\n\r\n" + text.encode()).data.kind == "text"


@pytest.mark.parametrize("unit", ["<div>", "<b", "<!--", "<a href='", "&#", "<blockquote>"])
def test_no_html_makes_reading_it_slow(unit: str) -> None:
    head = b"From: a@example.si\r\nContent-Type: text/html\r\n\r\n"
    with quick():
        assert mail(head + unit.encode() * 100_000).data.kind == "text"
