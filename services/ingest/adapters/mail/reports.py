"""What the post tells about mail of ours: bounces and delays (RFC 3464), or free text; read
receipts (RFC 8098). Anybody can write such a report, so it only ever tells of one message.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.mail.headers import addresses, email_point, header, message_ids
from services.ingest.adapters.mail.kinds import POSTMASTERS
from services.ingest.adapters.mail.parts import Leaf
from services.ingest.adapters.mail.source import read_mail
from services.ingest.domain import limits

_STATUS_PARTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RECEIPT_PARTS = frozenset(
    {"message/disposition-notification", "message/global-disposition-notification"}
)
_ORIGINALS = frozenset({"message/rfc822", "message/global"})
_ORIGINAL_HEADERS = frozenset(
    {"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}
)
_STATUS_OF_ACTION = {
    "failed": "failed",
    "delayed": "queued",
    "delivered": "delivered",
    "expanded": "delivered",
    "relayed": "sent",
}
_STATUS_OF_CLASS = {"2": "delivered", "4": "queued", "5": "failed"}
_REASON = 500  # characters of what a foreign server says
_SCANNED = 16_384  # characters of free text that are searched
_CODE = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_ADDRESS = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9.-]{1,250}[A-Za-z0-9]")
_ORIGINAL_ID = re.compile(r"^[> ]{0,8}message-id:\s{0,5}<([^<>\s]{1,250})>", re.I | re.M)
_DELAYED = re.compile(
    r"will be retried|will keep trying|continue to try|not yet been delivered|has been delayed"
    r"|delivery delayed|still trying|temporarily",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Notice:
    """How far one message of ours got with one recipient, in our own words for it."""

    recipients: tuple[str, ...]
    status: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a report tells: about which mail of ours, and how far it got.

    `message_id` is that mail's; `opening` the first id of its thread. A notice's `recipients` are
    contact points of one recipient, the one we wrote to first.
    """

    message_id: str
    opening: str
    notices: tuple[Notice, ...]


def report_of(mail: Message, leaves: tuple[Leaf, ...], text: str, mailbox: str) -> Report | None:
    """Return what a bounce or receipt tells; None if it is none or names no mail of ours."""
    original = _original(leaves)
    status = next((leaf for leaf in leaves if leaf.media_type in _STATUS_PARTS), None)
    receipt = next((leaf for leaf in leaves if leaf.media_type in _RECEIPT_PARTS), None)
    if receipt is not None:
        notices, named = _receipt(receipt)
    elif status is not None:
        notices, named = _delivery(status, original), None
    else:
        notices, named = _free_text(mail, text, mailbox), _named(text)
    ours = [*(message_ids(original, "message-id") if original else ()), *([named] if named else [])]
    answered = [*message_ids(mail, "in-reply-to"), *message_ids(mail, "references")[::-1]]
    if not notices or not (ours or answered):
        return None
    message_id = (ours or answered)[0]
    earlier = message_ids(original if original is not None else mail, "references")
    return Report(message_id, (*earlier, message_id)[0], tuple(notices[: limits.MAIL_REPORTED]))


def is_receipt(leaves: tuple[Leaf, ...]) -> bool:
    """Say whether a mail is a read receipt: nobody wrote anything."""
    return any(leaf.media_type in _RECEIPT_PARTS for leaf in leaves)


def _original(leaves: tuple[Leaf, ...]) -> Message | None:
    """Return the mail of ours that is in the report, or what it has of its headers."""
    for leaf in leaves:
        inner = leaf.part.get_payload()
        if leaf.media_type in _ORIGINALS and isinstance(inner, list) and inner:
            return inner[0] if isinstance(inner[0], Message) else None
        if leaf.media_type in _ORIGINALS | _ORIGINAL_HEADERS:
            try:
                return read_mail(leaf.body.lstrip()[: limits.MAIL_HEADERS])
            except Unparseable:
                return None
    return None


def _blocks(leaf: Leaf) -> Iterator[Message]:
    """Yield the groups of fields in a report's part, however it is encoded."""
    payload = leaf.part.get_payload()
    whole = leaf.body if not isinstance(payload, list) else b"\n".join(map(_as_written, payload))
    for block in re.split(rb"\n\s*\n", whole.replace(b"\r\n", b"\n"))[: limits.MAIL_PARTS]:
        try:
            yield read_mail(block.strip() + b"\n\n")
        except Unparseable:
            continue


def _as_written(part: Message) -> bytes:
    """Return a part's fields and text as they came: the library's own writer folds them anew."""
    fields = "".join(f"{name}: {value}\n" for name, value in part.raw_items())
    text = part.get_payload()
    whole = f"{fields}\n{text}" if isinstance(text, str) else fields
    return whole.encode("utf-8", "surrogateescape")


def _delivery(leaf: Leaf, original: Message | None) -> list[Notice]:
    notices = []
    wrote_to = [point for point, _ in addresses(original, "to")] if original is not None else []
    for block in _blocks(leaf):
        told = [_recipient(block, name) for name in ("original-recipient", "final-recipient")]
        recipients = [point for point in told if point]
        if not recipients:
            continue
        if len(wrote_to) == 1:  # the mail was passed on to an address we never heard of
            recipients.append(wrote_to[0])
        action = (header(block, "action") or "").partition(" ")[0].partition("(")[0].lower()
        code = _CODE.search(header(block, "status") or "")
        status = _STATUS_OF_ACTION.get(action) or _STATUS_OF_CLASS.get(
            code.group(1)[0] if code else ""
        )
        if status:
            notices.append(Notice(tuple(dict.fromkeys(recipients)), status, _reason(block, action)))
    return notices


def _recipient(block: Message, name: str) -> str | None:
    return email_point((header(block, name) or "").partition(";")[2].strip())


def _reason(block: Message, action: str) -> str | None:
    diagnostic = (header(block, "diagnostic-code") or "").partition(";")[2].strip()
    told = [header(block, "status") or "", "delayed" if action == "delayed" else "", diagnostic]
    return " ".join(word for word in told if word)[:_REASON] or None


def _receipt(leaf: Leaf) -> tuple[list[Notice], str | None]:
    for block in _blocks(leaf):
        told = [_recipient(block, name) for name in ("original-recipient", "final-recipient")]
        disposition = (header(block, "disposition") or "").rpartition(";")[2].lower()
        seen = "displayed" in disposition
        named = next(iter(message_ids(block, "original-message-id")), None)
        recipients = tuple(dict.fromkeys(point for point in told if point))
        if recipients:
            return ([Notice(recipients, "read", None)] if seen else []), named
    return [], None


def _free_text(mail: Message, text: str, mailbox: str) -> list[Notice]:
    scanned = text[:_SCANNED]
    failed = [point for point, _ in addresses(mail, "x-failed-recipients")]
    found = failed or [p for p in map(email_point, _ADDRESS.findall(scanned)) if p]
    strangers = [point for point in dict.fromkeys(found) if not _is_post(point, mailbox)]
    code = _CODE.search(scanned)
    delayed = code.group(1)[0] == "4" if code else bool(_DELAYED.search(scanned))
    words = [code.group(1) if code else "", "delayed" if delayed else ""]
    reason = " ".join(word for word in words if word) or None
    return [Notice((p,), "queued" if delayed else "failed", reason) for p in strangers[:1]]


def _is_post(point: str, mailbox: str) -> bool:
    address = point.removeprefix("email:")
    return address == mailbox.lower() or address.partition("@")[0] in POSTMASTERS


def _named(text: str) -> str | None:
    found = _ORIGINAL_ID.search(text[: limits.MAIL_HTML])
    return found.group(1) if found else None
