"""MIME to contact events, for every adapter that gets whole mails: `translate_mail`.

The From address is whatever the sender wrote: it is the only contact point of the event, so it
never links anybody to anybody. The Message-ID can be forged and is reused, so the event's id is
made of envelope, headers and body. A conversation is the first of References, In-Reply-To and
Message-ID, *with this sender* on this mailbox: a stranger who quotes a thread joins nothing.
The Date is the sender's claim and counts for nothing.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

from services.ingest.adapters import mail_source
from services.ingest.adapters.building import Builder, each
from services.ingest.adapters.contract import Blob, Parsed
from services.ingest.domain import limits
from services.ingest.domain.html_text import text_of_html
from services.ingest.domain.quoting import newest_text
from services.ingest.domain.text import clean, cut, short
from shared.clock import to_milliseconds
from shared.contact_points import InvalidContactPoint, contact_point
from shared.events.contact import MessageReceived
from shared.ids import derived_id

CHANNEL = "email"
AUTOMATIC_PRECEDENCE = frozenset({"bulk", "junk", "auto_reply"})
"""`list` is not among them: a mailbox behind a group address gets its customers' mail that way."""
AUTO_REPLY_HEADERS = ("x-autoreply", "x-autorespond", "x-autoresponder")
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,250})>")


@dataclass(frozen=True, slots=True)
class MailEnvelope:
    """Who sent a mail and to which of our addresses, as the transport tells it.

    `sender` is empty for a bounce (the null return path) and None where nobody tells it.
    `recipients` are those of one mailbox of ours only, with their plus-tags.
    """

    sender: str | None = None
    recipients: tuple[str, ...] = ()


def translate_mail(
    raw: bytes, envelope: MailEnvelope, builder: Builder, own_id: str | None = None
) -> Parsed:
    """Translate one mail, as bytes of RFC 5322, to contact events and the blob they refer to.

    Pure, some milliseconds of work. `own_id` is the provider's own id of this delivery, the same
    when it comes again; without one it is made of envelope and bytes. Raises `Unparseable` for a
    mail beyond a limit and nothing else. The builder should not vouch for times.
    """
    mail = mail_source.read_mail(raw)
    digest = _digest(raw, envelope)
    account = builder.account
    blob = Blob(derived_id("mail", account.provider, account.name, digest), raw)
    event_id = own_id or f"mail-{digest}"
    event_of = lambda mail: [_message(builder, envelope, mail, event_id, blob.id)]  # noqa: E731
    events, broken = each([mail], event_of, lambda _: raw)
    return Parsed(tuple(events), tuple(broken), blobs=(blob,) if events else ())


def _digest(raw: bytes, envelope: MailEnvelope) -> str:
    """Return what is the same for each delivery of one mail to one mailbox."""
    digest = hashlib.blake2b(digest_size=16)
    senders = () if envelope.sender is None else (envelope.sender,)
    for name, values in (("envelope-from", senders), ("envelope-to", envelope.recipients)):
        for value in sorted(values):
            digest.update(f"{name}\0{value}\0".encode("utf-8", "surrogatepass"))
    digest.update(raw)
    return digest.hexdigest()


def _message(
    builder: Builder, envelope: MailEnvelope, mail: EmailMessage, event_id: str, blob_id: str
) -> Any:
    sender, name = _sender(mail, envelope)
    point = sender or contact_point("email-unknown", blob_id)
    ids = _message_ids(mail)
    body, others = _body(mail)
    text, truncated = cut(newest_text(body))
    kind = _kind(mail, envelope)
    return builder.event(
        MessageReceived,
        event_id,
        thread=((ids[0] if ids else event_id), point),
        channel=CHANNEL,
        occurred_at=_date(mail),
        contact_points=(point,),
        display_name=short(name),
        message_id=_own_id(mail) or event_id,
        kind=kind,
        subject=_subject(mail),
        text=text or None,
        truncated=truncated,
        attachments=[_attachment(number, part, blob_id) for number, part in others],
        in_reply_to=_replied_to(mail),
        automatic=kind != "text" or _is_bulk(mail),
        original=f"blob:{blob_id}",
    )


def _sender(mail: EmailMessage, envelope: MailEnvelope) -> tuple[str | None, str | None]:
    """Return the first usable address of From, else of the envelope, with the name beside it."""
    for address in getattr(mail_source.parsed_header(mail, "from"), "addresses", ()):
        point = _email_point(address.addr_spec)
        if point:
            return point, clean(address.display_name)
    return _email_point(envelope.sender or ""), None


def _email_point(address: str) -> str | None:
    try:
        return contact_point("email", clean(address))
    except InvalidContactPoint:
        return None


def _own_id(mail: EmailMessage) -> str | None:
    found = _MESSAGE_ID.search(mail_source.header(mail, "message-id") or "")
    return found.group(1) if found else None


def _replied_to(mail: EmailMessage) -> str | None:
    found = _MESSAGE_ID.search(mail_source.header(mail, "in-reply-to") or "")
    return found.group(1) if found else None


def _message_ids(mail: EmailMessage) -> list[str]:
    """Return the ids that may name the thread, the best first."""
    found = [
        _MESSAGE_ID.search(mail_source.header(mail, name) or "")
        for name in ("references", "in-reply-to", "message-id")
    ]
    return [match.group(1) for match in found if match]


def _subject(mail: EmailMessage) -> str | None:
    parsed = mail_source.parsed_header(mail, "subject")
    return short(str(parsed) if parsed is not None else mail_source.header(mail, "subject"))


def _date(mail: EmailMessage) -> datetime | None:
    written = mail_source.header(mail, "date")
    try:
        date = parsedate_to_datetime(written or "")
        aware = date if date.tzinfo else date.replace(tzinfo=UTC)
        return to_milliseconds(aware)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _body(mail: EmailMessage) -> tuple[str, list[tuple[int, EmailMessage]]]:
    """Return the text of the mail and the parts that are attachments."""
    parts = list(mail_source.leaves(mail))
    for wanted in ("text/plain", "text/html"):
        for number, part in parts:
            if mail_source.content_type(part) == wanted and not _is_file(part):
                written = mail_source.text(part)
                text = text_of_html(written) if wanted == "text/html" else written
                others = [other for other in parts if other[0] != number and _is_content(other[1])]
                return text[: limits.MAIL_HTML], others
    return "", [other for other in parts if _is_content(other[1])]


def _is_file(part: EmailMessage) -> bool:
    try:
        return part.get_content_disposition() == "attachment"
    except Exception:  # a disposition that is nonsense hides no text
        return False


def _is_content(part: EmailMessage) -> bool:
    """Say whether a part is an attachment: not the other form of the text, not an empty one."""
    alternative = mail_source.content_type(part) in ("text/plain", "text/html")
    return _is_file(part) or not alternative or mail_source.file_name(part) is not None


def _attachment(number: int, part: EmailMessage, blob_id: str) -> dict[str, Any]:
    return {
        "reference": f"blob:{blob_id}#{number}",
        "media_type": mail_source.content_type(part)[:255],
        "name": (short(mail_source.file_name(part)) or "")[: limits.FILE_NAME] or None,
        "size": len(mail_source.content(part)),
    }


def _kind(mail: EmailMessage, envelope: MailEnvelope) -> str:
    """Return `bounce`, `auto-reply` or `text`; RFC 3834 and RFC 3464 say how they are marked."""
    content_type = mail_source.header(mail, "content-type") or ""
    if "delivery-status" in content_type.lower():
        return "bounce"
    if envelope.sender in ("", "<>"):
        return "bounce"
    marked = (mail_source.header(mail, "auto-submitted") or "no").lower()
    if not marked.startswith("no") or any(mail_source.header(mail, n) for n in AUTO_REPLY_HEADERS):
        return "auto-reply"
    return "text"


def _is_bulk(mail: EmailMessage) -> bool:
    return (mail_source.header(mail, "precedence") or "").lower() in AUTOMATIC_PRECEDENCE
