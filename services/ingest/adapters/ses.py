"""Amazon SES: mail that a receipt rule publishes through Amazon SNS, and how far our own got.

Sources: Amazon's pages "Contents of notifications for email receiving", "Publish to Amazon SNS
topic action", "Amazon SNS notification contents for Amazon SES" and "HTTP/HTTPS subscription
confirmation JSON format".

A subscription is confirmed by the operator: nothing in a message makes us fetch anything.
"""

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, json_object
from services.ingest.adapters.contract import Adapter, BrokenPart, Parsed, Unparseable
from services.ingest.adapters.mail.hooks import envelope_of, with_files
from services.ingest.adapters.mail.rebuilt import rebuilt_mail
from services.ingest.adapters.mail.translation import translate_mail
from services.ingest.adapters.payloads.ses_news import news_of
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.sns import SNS
from services.ingest.domain import limits
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.domain.text import clean
from shared.ids import KeyedIds


class Ses(Adapter):
    """One mailbox behind a receipt rule; `topic_arn` is the only topic we hear."""

    provider = "ses"
    scheme = SNS
    media_types = frozenset({"text/plain", "application/json"})
    max_body = limits.MAIL
    isolated = True
    options = frozenset({"address", "topic_arn"})

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one message of the topic."""
        message = json_object(request.body)
        kind = string_at(message, "Type") or ""
        if kind != "Notification":
            ask = BrokenPart(request.body, f"{kind}: confirm by hand, if you want it")
            return Parsed(broken=(ask,), ignored=(kind,))
        try:
            told = parse_json(clean(string_at(message, "Message") or "").encode())
        except Malformed:
            return Parsed(ignored=("text",))  # what SES says when it is set up
        about = string_at(told, "notificationType") or string_at(told, "eventType")
        if about is None:
            raise Unparseable("Message: neither notificationType nor eventType")
        if about == "Received":
            return _received(told, Builder(account, received_at, ids, vouched=False))
        return news_of(request, told, about, Builder(account, received_at, ids, vouched=True))


def _received(told: Any, builder: Builder) -> Parsed:
    recipients = [to for to in list_at(told, "receipt", "recipients") if isinstance(to, str)]
    envelope = envelope_of(builder.account, string_at(told, "mail", "source"), recipients)
    own_id = string_at(told, "mail", "messageId")
    if own_id is None:
        raise Unparseable("mail.messageId: missing")
    content = string_at(told, "content")
    if content is not None:
        raw = _content(content, string_at(told, "receipt", "action", "encoding"))
        return translate_mail(raw, envelope, builder, clean(own_id)[:256])
    headers = [
        (clean(string_at(item, "name") or ""), clean(string_at(item, "value") or ""))
        for item in list_at(told, "mail", "headers")
    ]
    mail = rebuilt_mail(headers, None, None)
    return with_files(
        translate_mail(mail, envelope, builder, clean(own_id)[:256]), list(_stored(told))
    )


def _content(written: str, encoding: str | None) -> bytes:
    if (encoding or "").upper() != "BASE64":
        return clean(written).encode()
    try:
        return base64.b64decode(clean(written))
    except (binascii.Error, ValueError):
        raise Unparseable("content: no base64") from None


def _stored(told: Any) -> Iterator[dict[str, str]]:
    """Yield the mail that a rule put into S3, as a file: its text is there only."""
    action = object_at(told, "receipt", "action")
    bucket, key = string_at(action, "bucketName"), string_at(action, "objectKey")
    if bucket and key:
        reference = clean(f"s3://{bucket}/{key}")[:2_048]
        yield {"reference": reference, "media_type": "message/rfc822"}
