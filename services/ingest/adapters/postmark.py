"""Postmark: inbound mail, and how far our own got.

Sources: Postmark's pages "Inbound webhook", "Parse an email", and those of the bounce, delivery,
open and spam complaint webhooks. Postmark signs nothing: the name and password in the URL that it
was given come as basic authentication, which proves the sender and not the body.
"""

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, each, from_iso, json_object, kept_whole
from services.ingest.adapters.contract import Adapter, Broken, Parsed, Unparseable
from services.ingest.adapters.mail.hooks import CONVERSATION, envelope_of, news
from services.ingest.adapters.mail.rebuilt import MailFile, address, rebuilt_mail
from services.ingest.adapters.mail.translation import translate_mail
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.base import Token
from services.ingest.domain import limits
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.text import clean
from shared.events import Event
from shared.ids import KeyedIds

STATUSES = {"Delivery": "delivered", "Bounce": "failed", "Open": "read"}
TIMES = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")
BOUNCES = {
    "Transient": "queued",
    "DnsError": "queued",
    "AutoResponder": None,
    "AddressChange": None,
    "ChallengeVerification": None,
    "OpenRelayTest": None,
    "Subscribe": None,
    "Unsubscribe": None,
    "Unknown": None,
}
"""Kinds of what Postmark calls a bounce that are none; every other kind is one."""
FIELDS = (("Subject", "Subject"), ("Date", "Date"), ("Reply-To", "ReplyTo"))
"""Headers that Postmark keeps out of `Headers`, and the field each stands in."""


class Postmark(Adapter):
    """One inbound stream; `address` is what mail to it is sent to."""

    provider = "postmark"
    scheme = Token(
        header="authorization", secret="credentials", prefix="Basic ", encoded=base64.b64encode
    )
    max_body = limits.MAIL
    isolated = True
    options = frozenset({"address"})

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one mail, or one event of a mail of ours."""
        told = json_object(request.body)
        if string_at(told, "RecordType") not in (None, "Inbound"):
            builder = Builder(account, received_at, ids, vouched=True)
            events, broken = each(
                [told], lambda part: [_news(builder, part)], lambda _: request.body
            )
            return Parsed(tuple(events), tuple(broken))
        own_id = string_at(told, "MessageID")
        if own_id is None:
            raise Unparseable("MessageID: missing")
        return_paths = (value for name, value in _headers(told) if name.lower() == "return-path")
        recipient = string_at(told, "OriginalRecipient") or ""
        envelope = envelope_of(account, next(return_paths, None), [recipient])
        builder = Builder(account, received_at, ids, vouched=False)
        return translate_mail(_mail(told), envelope, builder, clean(own_id)[:256])


def _mail(told: dict[str, Any]) -> bytes:
    raw = string_at(told, "RawEmail")
    if raw:
        return clean(raw).encode()
    headers = list(_headers(told))
    given = {name.lower() for name, _ in headers}
    others = [("From", ", ".join(_addresses([object_at(told, "FromFull")])))]
    others += [(name, ", ".join(_addresses(list_at(told, f"{name}Full")))) for name in ("To", "Cc")]
    others += [(name, string_at(told, key) or "") for name, key in FIELDS]
    headers += [(name, value) for name, value in others if value and name.lower() not in given]
    texts = string_at(told, "TextBody"), string_at(told, "HtmlBody")
    return rebuilt_mail(headers, *texts, list(_files(told)))


def _headers(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for item in list_at(told, "Headers"):
        yield clean(string_at(item, "Name") or ""), clean(string_at(item, "Value") or "")


def _addresses(people: list[Any]) -> Iterator[str]:
    for person in people:
        mailbox = string_at(person, "Email")
        if mailbox:
            yield address(string_at(person, "Name"), mailbox)


def _files(told: dict[str, Any]) -> Iterator[MailFile]:
    for item in list_at(told, "Attachments"):
        written = string_at(item, "Content") or string_at(item, "Data") or ""
        try:
            body = base64.b64decode(clean(written).encode())
        except (binascii.Error, ValueError):
            body = clean(written).encode()
        media_type = string_at(item, "ContentType") or ""
        yield MailFile(string_at(item, "Name"), media_type, body, string_at(item, "ContentID"))


def _news(builder: Builder, told: dict[str, Any]) -> Event:
    kind, mail = string_at(told, "RecordType") or "", string_at(told, "MessageID")
    if mail is None:
        raise Broken("MessageID: missing")
    written = next(filter(None, (string_at(told, name) for name in TIMES)), None)
    status = STATUSES.get(kind)
    if kind == "Bounce":
        status = BOUNCES.get(string_at(told, "Type") or "", "failed")
    own_id = string_at(told, "ID") or written or "once"
    return news(
        builder,
        clean(f"{kind}/{mail}/{own_id}")[:1_000],
        message_id=mail,
        recipient=string_at(told, "Recipient") or string_at(told, "Email"),
        status=status,
        kind=kind,
        reason=string_at(told, "Details") or string_at(told, "Description"),
        occurred_at=from_iso(written),
        raw=None if status else kept_whole(told),
        conversation_id=string_at(object_at(told, "Metadata"), CONVERSATION),
    )
