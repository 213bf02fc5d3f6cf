"""Mailgun: mail that its routes forward, and how far our own got.

Sources: Mailgun's pages "Receiving messages via HTTP", "Storing and retrieving messages",
"Securing webhooks" and "Event structure".

A route posts the raw mail to an URL that ends in `mime`, else its parts, which are made a mail
again; `throughline reconcile` lists it a third way, so it is known by what all of them tell.
The proof does not cover the body: a token counts for one body only.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder
from services.ingest.adapters.contract import Adapter, Parsed, Unparseable
from services.ingest.adapters.mail.hooks import envelope_of, with_files
from services.ingest.adapters.mail.identity import told_alike
from services.ingest.adapters.mail.rebuilt import MailFile, rebuilt_mail
from services.ingest.adapters.mail.translation import Known, MailEnvelope, translate_mail
from services.ingest.adapters.payloads.forms import MULTIPART, URLENCODED, Form, read_form
from services.ingest.adapters.payloads.mailgun_news import news_of
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.mailgun import MAILGUN, TOKEN, is_event, proof_of
from services.ingest.domain import limits
from services.ingest.domain.json_fields import object_at, string_at, value_at
from services.ingest.domain.text import clean, short
from shared.ids import KeyedIds

HEADERS = ("From", "To", "Cc", "Subject", "Date", "Message-Id", "In-Reply-To", "References")
"""Fields that repeat a header, for a form without `message-headers`."""
_STORED_AT_MOST = 50


class Mailgun(Adapter):
    """One mailbox behind a route; `address` is what mail to it is sent to."""

    provider = "mailgun"
    scheme = MAILGUN
    media_types = frozenset({URLENCODED, MULTIPART, "application/json"})
    max_body = limits.MAIL
    isolated = True
    options = frozenset({"address"})
    optional = frozenset({"max_age_seconds"})

    def once(self, request: RawRequest) -> str:
        """Return the token, which proves one body only."""
        return proof_of(request)[TOKEN]

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one mail, or one event of a mail of ours."""
        if is_event(request):
            return news_of(request, Builder(account, received_at, ids, vouched=True))
        form = read_form(request)
        builder = Builder(account, received_at, ids, vouched=False)
        sender = form.part("sender")
        recipients = (form.text("recipient") or "").split(",")
        envelope = envelope_of(account, sender.text() if sender else None, recipients)
        raw = form.part("body-mime")
        if raw is not None:
            return translate_mail(raw.body, envelope, builder, _known(envelope))
        headers = list(_headers(form))
        if not headers and form.part("body-plain") is None:
            raise Unparseable("body-mime, body-plain: missing")
        text, html = form.text("body-plain"), form.text("body-html")
        mail = rebuilt_mail(headers, text, html, list(_files(form)))
        stored = list(_stored(form))
        known = _known(envelope, stored)
        return with_files(translate_mail(mail, envelope, builder, known), stored)


def _known(envelope: MailEnvelope, stored: Sequence[dict[str, Any]] = ()) -> Known:
    return lambda mail, said: told_alike(mail, said, envelope, stored)


def _headers(form: Form) -> Iterator[tuple[str, str]]:
    given = form.json("message-headers")
    for pair in given if isinstance(given, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, str) for x in pair):
            yield clean(pair[0]), clean(pair[1])
    if not isinstance(given, list):
        fields = {part.name.lower(): part.name for part in reversed(form.parts)}
        for name in HEADERS:
            value = form.text(fields.get(name.lower(), name))
            if value:
                yield name, value


def _files(form: Form) -> Iterator[MailFile]:
    content_ids = {
        part_name: content_id
        for content_id, part_name in object_at(form.json("content-id-map")).items()
        if isinstance(part_name, str)
    }
    for part in form.files():
        yield MailFile(part.file_name, part.media_type, part.body, content_ids.get(part.name))


def _stored(form: Form) -> Iterator[dict[str, Any]]:
    """Yield the files that a `store()` route keeps at Mailgun."""
    listed = form.json("attachments")
    for item in listed[:_STORED_AT_MOST] if isinstance(listed, list) else ():
        url, size = string_at(item, "url"), value_at(item, "size")
        if url and len(url) <= 2_048:
            yield {
                "reference": clean(url),
                "media_type": clean(string_at(item, "content-type") or "")[:255]
                or "application/octet-stream",
                "name": short(string_at(item, "name")),
                "size": size if isinstance(size, int) and size >= 0 else None,
            }
