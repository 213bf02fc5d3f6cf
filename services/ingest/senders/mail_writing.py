"""Writing a mail: headers that thread, that nobody can inject into, and that machines recognise.

Sources: RFC 5322 (headers), RFC 3834 (automatic responses), RFC 2045 (MIME). The same reply gives
the same bytes: ids, boundaries and date all follow from it.
"""

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from services.ingest.senders.contract import File, NotSendable, Reply

_POLICY = SMTP.clone(cte_type="7bit")
_MESSAGE_ID = re.compile(r"[^<>\s\x00-\x1f\x7f@]{1,200}@[^<>\s\x00-\x1f\x7f@]{1,200}")
_ANSWERED = re.compile(r"^(?:(?:re|aw|sv|odg|rif|ref|fwd?)(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_MOST_REFERENCES = 21  # the thread's first message and its last twenty
_AUTOMATIC = {"bot": "auto-replied", "system": "auto-generated"}


def one_line(written: str) -> str:
    """Return a text as one line without control characters: nothing of it can end a header."""
    return " ".join("".join(c if c.isprintable() else " " for c in written).split())


def mailbox(written: str) -> Address:
    """Return the address in `Name <name@domain>`; raise `NotSendable` for what is none."""
    name, address = parseaddr(one_line(written))
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or not address.isascii() or " " in address:
        raise NotSendable("an address is not one that mail can go to")
    try:
        return Address(name, local, domain)
    except (ValueError, IndexError):
        raise NotSendable("an address is not one that mail can go to") from None


def message_id_of(reply: Reply, domain: str) -> str:
    """Return the Message-ID (without brackets) of a reply, the same however often it is sent.

    With its token an answer finds the conversation even where the plus-address is lost.
    """
    name = f"{reply.reply_id}.{reply.message_token}" if reply.message_token else reply.reply_id
    return f"{name}@{domain}"


def subject_of(reply: Reply) -> str:
    """Return the subject: `Re:` once, and the case reference where it is not there already."""
    subject = _ANSWERED.sub("", one_line(reply.subject or ""))[:500]
    reference = reply.case_reference
    marked = f"[{reference}]" if reference and reference not in subject else ""
    return " ".join(part for part in ("Re:", subject, marked) if part)


def write_mail(
    reply: Reply, sender: Address, recipient: Address, reply_to: str | None
) -> EmailMessage:
    """Return the whole mail; raise `NotSendable` for files without their bytes."""
    mail = EmailMessage(_POLICY)
    mail["From"] = sender
    mail["To"] = recipient
    if reply_to:
        mail["Reply-To"] = mailbox(reply_to)
    mail["Subject"] = subject_of(reply)
    mail["Date"] = format_datetime(_whole_seconds(reply.created_at))
    mail["Message-ID"] = f"<{message_id_of(reply, sender.domain)}>"
    _thread(mail, reply)
    if reply.sender in _AUTOMATIC:
        mail["Auto-Submitted"] = _AUTOMATIC[reply.sender]
    mail.set_content(reply.text)
    if reply.html:
        mail.add_alternative(reply.html, subtype="html")
    for file in reply.files:
        _attach(mail, file)
    for number, part in enumerate(mail.walk()):
        if part.is_multipart():
            part.set_boundary(f"=_{reply.reply_id}_{number}")
    return mail


def _thread(mail: EmailMessage, reply: Reply) -> None:
    known = [one for one in reply.thread if _MESSAGE_ID.fullmatch(one)]
    answered = reply.in_reply_to or (known[-1] if known else None)
    if answered is None or not _MESSAGE_ID.fullmatch(answered):
        return
    references = [one for one in known if one != answered]
    kept = [*references[:1], *references[1:][-(_MOST_REFERENCES - 2) :], answered]
    mail["In-Reply-To"] = f"<{answered}>"
    mail["References"] = " ".join(f"<{one}>" for one in kept)


def _attach(mail: EmailMessage, file: File) -> None:
    if file.content is None:
        raise NotSendable("a file's bytes are missing")
    main, _, sub = file.media_type.partition("/")
    if main in ("multipart", "message"):  # would be read as structure of this mail
        main, sub = "application", "octet-stream"
    name = one_line(file.name or "file").replace("/", "_").replace("\\", "_")
    mail.add_attachment(file.content, maintype=main, subtype=sub or "octet-stream", filename=name)


def _whole_seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
