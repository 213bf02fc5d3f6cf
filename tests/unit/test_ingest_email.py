"""E-mail in every state people's programs leave it in."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.contract import SignatureRefused, Unparseable
from services.ingest.adapters.email import Email
from services.ingest.domain import limits
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request

ACCOUNT = ACCOUNTS["email"]
ANA = "email:ana.kovac@example.si"


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
    ],
)
def test_the_newest_text_is_found(name: str, text: str) -> None:
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


def test_subjects_are_decoded() -> None:
    assert only("html-only").data.subject == "Pokrov škripa"


@pytest.mark.parametrize(("name", "kind"), [("bounce", "bounce"), ("out-of-office", "auto-reply")])
def test_automatic_mail_is_marked(name: str, kind: str) -> None:
    assert (only(name).data.kind, only(name).data.automatic) == (kind, True)


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
    ],
)
def test_a_bomb_is_refused_before_it_goes_off(body: bytes, error: str) -> None:
    with pytest.raises(Unparseable) as refused:
        Email().parse(request("email", body), ACCOUNT, NOW, IDS)
    assert refused.value.error == error


@pytest.mark.timeout(20)
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
    assert mail(b"From: a@example.si\r\n\r\n" + text.encode()).data.kind == "text"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["<div>", "<b", "<!--", "<a href='", "&#", "<blockquote>"])
def test_no_html_makes_reading_it_slow(unit: str) -> None:
    head = b"From: a@example.si\r\nContent-Type: text/html\r\n\r\n"
    assert mail(head + unit.encode() * 100_000).data.kind == "text"
