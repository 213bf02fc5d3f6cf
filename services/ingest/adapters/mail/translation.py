"""MIME to contact events, for every adapter that gets whole mails: `translate_mail`.

The From address is whatever the sender wrote: it is the only contact point of the event, so it
never links anybody to anybody. The Message-ID can be forged and is reused, so the event's id is
made of envelope, headers and body. The Date is the sender's claim and counts for nothing.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.utils import parseaddr
from typing import Any

from services.ingest.adapters.building import Builder, each
from services.ingest.adapters.contract import Blob, Parsed
from services.ingest.adapters.mail import headers as read
from services.ingest.adapters.mail.kinds import Kind, kind_of
from services.ingest.adapters.mail.parts import Content, Leaf, content_of
from services.ingest.adapters.mail.reports import Report, is_receipt, report_of
from services.ingest.adapters.mail.source import read_mail
from services.ingest.domain.html_safe import safe_html
from services.ingest.domain.mail_thread import (
    MailTrace,
    case_reference_in,
    choose_conversation,
    conversation_of_message_id,
)
from services.ingest.domain.quoting import newest_text
from services.ingest.domain.text import cut, short
from shared.contact_points import contact_point
from shared.events import Event
from shared.events.contact import DeliveryChanged, MessageReceived

CHANNEL = "email"
_NOBODY_ANSWERS = frozenset({"bounce", "loop"})  # an agent's next reply must not go to a daemon


Known = Callable[[Message, Content], str | None]
"""What tells a provider's own id of a mail from the mail itself."""


@dataclass(frozen=True, slots=True)
class MailEnvelope:
    """Who sent a mail and to which of our addresses, as the transport tells it.

    `sender` is empty for a bounce (the null return path) and None where nobody tells it.
    `recipients` are those of one mailbox of ours only, with their plus-tags.
    """

    sender: str | None = None
    recipients: tuple[str, ...] = ()


def translate_mail(
    raw: bytes, envelope: MailEnvelope, builder: Builder, own_id: str | Known | None = None
) -> Parsed:
    """Translate one mail, as bytes of RFC 5322, to contact events and the blob they refer to.

    Pure, some milliseconds of work. `own_id` is the provider's own id of this delivery, the same
    when it comes again, or what tells it from the mail; without one it is made of envelope and
    bytes. Raises `Unparseable` for a
    mail beyond a limit and nothing else. The builder should not vouch for times; its account's
    option `address`, if there is one, is our mailbox.
    """
    mail = read_mail(raw)
    digest = _digest(raw, envelope)
    account = builder.account
    blob = Blob(builder.ids.blob_id(account.provider, account.name, digest), raw)
    said = content_of(mail)
    told = own_id(mail, said) if callable(own_id) else own_id
    translation = _Translation(mail, said, envelope, builder, told or f"mail-{digest}", blob.id)
    events, broken = each([translation], _Translation.events, lambda _: raw)
    ignored = () if events or broken else ("receipt",)
    return Parsed(tuple(events), tuple(broken), ignored, (blob,) if events else ())


def _digest(raw: bytes, envelope: MailEnvelope) -> str:
    """Return what is the same for each delivery of one mail to one mailbox."""
    digest = hashlib.blake2b(digest_size=16)
    senders = () if envelope.sender is None else (envelope.sender,)
    for name, values in (("envelope-from", senders), ("envelope-to", envelope.recipients)):
        for value in sorted(values):
            digest.update(f"{name}\0{value}\0".encode("utf-8", "surrogatepass"))
    digest.update(raw)
    return digest.hexdigest()


class _Translation:
    """One mail on its way to its events."""

    def __init__(
        self,
        mail: Message,
        said: Content,
        envelope: MailEnvelope,
        builder: Builder,
        event_id: str,
        blob_id: str,
    ) -> None:
        self._mail, self._said, self._builder = mail, said, builder
        self._envelope, self._event_id, self._blob_id = envelope, event_id, blob_id
        self._mailbox = builder.account.options.get("address", "").lower()
        self._ours = _own_points(builder.account.options)
        self._reply_to = self._first_of_others("reply-to")
        self._sender, self._name = self._from()

    def events(self) -> Iterator[Event]:
        """Yield the message, unless it is only a receipt, and what a report tells of ours."""
        kind = self._kind()
        text = self._said.text()
        receipt = is_receipt(self._said.files)
        report = None
        if receipt or kind.word == "bounce":
            report = report_of(self._mail, self._said.files, text, self._mailbox)
        if not receipt:
            yield self._message(kind, text, report)
        if report:
            yield from self._deliveries(report)

    def _message(self, kind: Kind, written: str, report: Report | None) -> Event:
        point = self._sender or contact_point("email-unknown", self._blob_id)
        conversation_id = self._conversation(point)
        if report:
            point, conversation_id = self._reported(report, report.notices[0].recipients)
        text, cut_off = cut(newest_text(written))
        html, left_out = self._html()
        subject = short(read.subject(self._mail))
        return self._builder.event(
            MessageReceived,
            self._event_id,
            conversation_id=conversation_id,
            channel=CHANNEL,
            occurred_at=read.date(self._mail),
            contact_points=(point,),
            display_name=None if report else short(self._name),
            locale=read.language(self._mail),
            reply_to=None if kind.word in _NOBODY_ANSWERS else self._answer_at(),
            message_id=self._own_id(),
            kind=kind.word,
            subject=subject,
            text=text or None,
            html=html,
            truncated=cut_off or left_out,
            attachments=[self._attachment(leaf) for leaf in self._said.files],
            in_reply_to=next(iter(self._answers()), None),
            automatic=kind.automatic,
            original=f"blob:{self._blob_id}",
            raw=_raw(case_reference=case_reference_in(subject), never_answer=kind.never_answer),
        )

    def _deliveries(self, report: Report) -> Iterator[Event]:
        for number, notice in enumerate(report.notices, 1):
            point, conversation_id = self._reported(report, notice.recipients)
            yield self._builder.event(
                DeliveryChanged,
                f"{self._event_id}/{number}",
                conversation_id=conversation_id,
                channel=CHANNEL,
                occurred_at=read.date(self._mail),
                contact_points=(point,),
                message_id=report.message_id,
                status=notice.status,
                reason=short(notice.reason),
            )

    def _kind(self) -> Kind:
        null_path = self._envelope.sender in ("", "<>")
        return kind_of(self._mail, self._sender, self._ours, null_path=null_path)

    def _from(self) -> tuple[str | None, str | None]:
        """Return the contact point of the sender: From, else the envelope's; and the name beside.

        A form on a web site writes our own address there: then it is who is to be answered.
        """
        for point, name in read.addresses(self._mail, "from"):
            if self._is_ours(point) and self._reply_to:
                return self._reply_to
            return point, name
        return read.email_point(self._envelope.sender or ""), None

    def _answer_at(self) -> str | None:
        found = self._reply_to[0] if self._reply_to else self._sender
        return found.removeprefix("email:") if found else None

    def _first_of_others(self, name: str) -> tuple[str, str | None] | None:
        found = read.addresses(self._mail, name) if read.header(self._mail, name) else []
        return next((one for one in found if not self._is_ours(one[0])), None)

    def _is_ours(self, point: str) -> bool:
        return point in self._ours

    def _own_id(self) -> str:
        return next(iter(read.message_ids(self._mail, "message-id")), self._event_id)

    def _answers(self) -> list[str]:
        answered = read.message_ids(self._mail, "in-reply-to")
        return [*answered, *reversed(read.message_ids(self._mail, "references"))]

    def _conversation(self, point: str) -> str:
        thread = [*read.message_ids(self._mail, "references"), *self._answers(), self._own_id()]
        trace = MailTrace(
            self._mailbox, point, self._addressed(), tuple(self._answers()), thread[0]
        )
        account = self._builder.account
        return choose_conversation(
            trace, self._builder.ids, account.provider, account.name
        ).conversation_id

    def _addressed(self) -> tuple[str, ...]:
        """Return the addresses that may hold our token; the envelope's come first."""
        headers = [read.header(self._mail, name) or "" for name in ("to", "cc")]
        named = [
            point.removeprefix("email:")
            for name, written in zip(("to", "cc"), headers, strict=True)
            if "+" in written
            for point, _ in read.addresses(self._mail, name)
        ]
        return (*self._envelope.recipients, *named)

    def _reported(self, report: Report, recipients: tuple[str, ...]) -> tuple[str, str]:
        """Return whose delivery it was, as a contact point, and the conversation it was in.

        The recipient that our own Message-ID was signed for, if there is one; else the first.
        """
        for point in recipients:
            found = conversation_of_message_id(report.message_id, point, self._builder.ids)
            if found and self._builder.is_ours(found):
                return point, found
        account = self._builder.account
        trace = MailTrace(self._mailbox, recipients[0], self._addressed(), (), report.opening)
        choice = choose_conversation(trace, self._builder.ids, account.provider, account.name)
        return recipients[0], choice.conversation_id

    def _html(self) -> tuple[str | None, bool]:
        if not self._said.rich:
            return None, False
        pictures = {
            leaf.content_id: str(leaf.number) for leaf in self._said.files if leaf.content_id
        }
        return safe_html(self._said.rich, pictures)

    def _attachment(self, leaf: Leaf) -> dict[str, Any]:
        return {
            "reference": f"blob:{self._blob_id}#{leaf.number}",
            "media_type": leaf.media_type[:255],
            "name": short(leaf.name),
            "size": len(leaf.body),
        }


def _own_points(options: Mapping[str, str]) -> frozenset[str]:
    """Return the contact points of a mailbox: where it takes mail, and what it sends as."""
    given = (options.get("address", ""), parseaddr(options.get("from", ""))[1])
    return frozenset(point for point in map(read.email_point, given) if point)


def _raw(**facts: str | None) -> dict[str, str] | None:
    return {name: fact for name, fact in facts.items() if fact} or None
