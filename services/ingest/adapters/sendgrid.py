"""SendGrid: mail from Inbound Parse, and how far our own got.

Sources: SendGrid's pages "Setting up the inbound parse webhook", "Securing your inbound parse
webhooks" and "Event webhook reference". What is answered with 4xx is lost at once, so only what
is not SendGrid's is refused.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, each, from_unix, kept_whole
from services.ingest.adapters.contract import Adapter, Broken, Parsed, Unparseable
from services.ingest.adapters.mail.hooks import CONVERSATION, envelope_of, news
from services.ingest.adapters.mail.rebuilt import MailFile, rebuilt_mail
from services.ingest.adapters.mail.translation import MailEnvelope, translate_mail
from services.ingest.adapters.payloads.forms import MULTIPART, URLENCODED, Form, read_form
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.sendgrid import SENDGRID
from services.ingest.domain import limits
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.domain.text import clean
from shared.events import Event
from shared.ids import KeyedIds

STATUSES = {
    "processed": "queued",
    "deferred": "queued",
    "delivered": "delivered",
    "bounce": "failed",
    "dropped": "failed",
    "open": "read",
}
FIELDS = (("From", "from"), ("To", "to"), ("Subject", "subject"))
"""Fields that repeat a header, for a mail without `headers`."""
_HEADER_ENDS = re.compile(r"\r?\n(?![ \t])")


class SendGrid(Adapter):
    """One mailbox behind a parse setting; `address` is what mail to it is sent to."""

    provider = "sendgrid"
    scheme = SENDGRID
    media_types = frozenset({MULTIPART, URLENCODED, "application/json"})
    max_body = limits.MAIL
    max_keys = limits.JSON_KEYS_SENDGRID
    isolated = True
    options = frozenset({"address"})
    optional = frozenset({"max_age_seconds"})

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one mail, or a list of events of our own mail."""
        if request.body.startswith((b"[", b"{")):
            return _all_news(request.body, Builder(account, received_at, ids, vouched=True))
        form = read_form(request)
        builder = Builder(account, received_at, ids, vouched=False)
        raw = form.part("email")
        if raw is not None:
            return translate_mail(raw.body, _envelope(form, account), builder)
        headers = list(_headers(form))
        if not headers:
            raise Unparseable("email, headers: missing")
        mail = rebuilt_mail(headers, _text(form, "text"), _text(form, "html"), list(_files(form)))
        return translate_mail(mail, _envelope(form, account), builder)


def _envelope(form: Form, account: ChannelAccount) -> MailEnvelope:
    told = form.json("envelope")
    recipients = [to for to in list_at(told, "to") if isinstance(to, str)]
    sender = object_at(told).get("from")
    return envelope_of(account, sender if isinstance(sender, str) else None, recipients)


def _headers(form: Form) -> Iterator[tuple[str, str]]:
    written = form.text("headers")
    for line in _HEADER_ENDS.split(written or ""):
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip(), value.strip()
    if written is None:
        for name, key in FIELDS:
            if value := form.text(key):
                yield name, value


def _text(form: Form, name: str) -> str | None:
    """Return a text in the charset that `charsets` says it is in."""
    part = form.part(name)
    return part.text(string_at(form.json("charsets"), name)) if part else None


def _files(form: Form) -> Iterator[MailFile]:
    about = form.json("attachment-info")
    for part in form.files():
        told = object_at(about, part.name)
        yield MailFile(
            part.file_name or string_at(told, "filename"),
            string_at(told, "type") or part.media_type,
            part.body,
            string_at(told, "content-id"),
        )


def _all_news(body: bytes, builder: Builder) -> Parsed:
    try:
        listed = parse_json(body, SendGrid.max_keys)
    except Malformed:
        raise Unparseable("body: json") from None
    if not isinstance(listed, list) or not listed:
        raise Unparseable("body: no list of events")
    events, broken = each(
        listed, lambda told: [_news(builder, told)], _alone, most=limits.PARTS_SENDGRID
    )
    return Parsed(tuple(events), tuple(broken))


def _alone(told: Any) -> bytes:
    return json.dumps([told]).encode()


def _news(builder: Builder, told: Any) -> Event:
    own_id, kind = string_at(told, "sg_event_id"), string_at(told, "event")
    if own_id is None or kind is None:
        raise Broken("sg_event_id, event: missing")
    status = STATUSES.get(kind)
    return news(
        builder,
        clean(own_id),
        message_id=(string_at(told, "sg_message_id") or "").partition(".")[0],
        recipient=string_at(told, "email"),
        status=status,
        kind=kind,
        reason=string_at(told, "reason") or string_at(told, "response"),
        occurred_at=from_unix(string_at(told, "timestamp")),
        raw=None if status else kept_whole(told),
        conversation_id=string_at(told, CONVERSATION),
    )
