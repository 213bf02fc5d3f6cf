"""E-mail as it comes over SMTP: RFC 5322 and MIME, in every state people's programs leave it.

The From address is whatever the sender wrote: it is the only contact point of the event, so it
never links anybody to anybody. The Message-ID can be forged and is reused, so the event's id is
made of envelope, headers and body. A conversation is the first of References, In-Reply-To and
Message-ID, *with this sender* on this mailbox: a stranger who quotes a thread joins nothing.
Limit: a mail program that sends In-Reply-To without References starts another conversation when it
answers our answer. The Date is the sender's claim and counts for nothing.
"""

import hashlib
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

from services.ingest.adapters import mail_source
from services.ingest.adapters.building import Builder, each
from services.ingest.adapters.contract import (
    Adapter,
    Blob,
    ChannelAccount,
    Parsed,
    RawRequest,
    SignatureRefused,
)
from services.ingest.adapters.schemes import Trusted
from services.ingest.domain import limits
from services.ingest.domain.html_text import text_of_html
from services.ingest.domain.quoting import newest_text
from services.ingest.domain.text import clean, cut, short
from shared.clock import to_milliseconds
from shared.contact_points import InvalidContactPoint, contact_point
from shared.events.contact import MessageReceived
from shared.ids import KeyedIds, derived_id

CHANNEL = "email"
AUTOMATIC_PRECEDENCE = frozenset({"bulk", "junk", "auto_reply"})
"""`list` is not among them: a mailbox behind a group address gets its customers' mail that way."""
AUTO_REPLY_HEADERS = ("x-autoreply", "x-autorespond", "x-autoresponder")
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,250})>")
_ENVELOPE = ("envelope-from", "envelope-to")


class Email(Adapter):
    """One mailbox: the option `address` is what mail to it is sent to."""

    provider = "email"
    transport = "smtp"
    scheme = Trusted(by="our own relay, the only one the network policy lets in")
    media_types = frozenset({"message/rfc822"})
    max_body = limits.MAIL
    options = frozenset({"address"})

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Check that the envelope names this mailbox: that, and the network, is all SMTP gives."""
        recipients = request.all("envelope-to")
        if not recipients:
            raise SignatureRefused("missing")
        if not any(is_for(account, given.decode("utf-8", "replace")) for given in recipients):
            raise SignatureRefused("wrong")

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one mail; the caller runs this off the event loop (it takes milliseconds)."""
        mail = mail_source.read_mail(request.body)
        digest = _digest(request)
        builder = Builder(account, received_at, ids, vouched=False)
        blob = Blob(derived_id("mail", account.provider, account.name, digest), request.body)
        event_of = lambda mail: [_message(builder, request, mail, digest, blob.id)]  # noqa: E731
        events, broken = each([mail], event_of, lambda _: request.body)
        return Parsed(tuple(events), tuple(broken), blobs=(blob,) if events else ())


def is_for(account: ChannelAccount, recipient: str) -> bool:
    """Say whether an envelope address is this mailbox, with or without a plus-tag."""
    local, _, domain = recipient.strip().strip("<>").lower().rpartition("@")
    ours, _, our_domain = account.options["address"].lower().rpartition("@")
    return domain == our_domain and local.partition("+")[0] == ours.partition("+")[0]


def _digest(request: RawRequest) -> str:
    """Return what is the same for each delivery of one mail to one mailbox."""
    digest = hashlib.blake2b(digest_size=16)
    for name in _ENVELOPE:
        for value in sorted(request.all(name)):
            digest.update(name.encode() + b"\0" + value + b"\0")
    digest.update(request.body)
    return digest.hexdigest()


def _message(
    builder: Builder, request: RawRequest, mail: EmailMessage, digest: str, blob_id: str
) -> Any:
    event_id = f"mail-{digest}"
    sender, name = _sender(mail, request)
    point = sender or contact_point("email-unknown", digest)
    ids = _message_ids(mail)
    body, others = _body(mail)
    text, truncated = cut(newest_text(body))
    kind = _kind(mail, request)
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


def _sender(mail: EmailMessage, request: RawRequest) -> tuple[str | None, str | None]:
    """Return the first usable address of From, else of the envelope, with the name beside it."""
    for address in getattr(mail_source.parsed_header(mail, "from"), "addresses", ()):
        point = _email_point(address.addr_spec)
        if point:
            return point, clean(address.display_name)
    for value in request.all("envelope-from"):
        point = _email_point(value.decode("utf-8", "replace"))
        if point:
            return point, None
    return None, None


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


def _kind(mail: EmailMessage, request: RawRequest) -> str:
    """Return `bounce`, `auto-reply` or `text`; RFC 3834 and RFC 3464 say how they are marked."""
    content_type = mail_source.header(mail, "content-type") or ""
    if "delivery-status" in content_type.lower():
        return "bounce"
    if request.all("envelope-from") in ((b"",), (b"<>",)):
        return "bounce"
    marked = (mail_source.header(mail, "auto-submitted") or "no").lower()
    if not marked.startswith("no") or any(mail_source.header(mail, n) for n in AUTO_REPLY_HEADERS):
        return "auto-reply"
    return "text"


def _is_bulk(mail: EmailMessage) -> bool:
    return (mail_source.header(mail, "precedence") or "").lower() in AUTOMATIC_PRECEDENCE
