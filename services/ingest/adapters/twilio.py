"""Twilio: SMS and other messages it carries, and how far ours got.

Sources: Twilio's pages "Webhooks security", "Messaging webhooks" and "Message status callback".

Webhooks carry no time: they count when they reach us. What `throughline reconcile` lists has one.
"""

from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, each, from_http_date
from services.ingest.adapters.contract import Adapter, Broken, Parsed, Unparseable
from services.ingest.adapters.payloads.twilio_form import (
    MEDIA_TYPES,
    Fields,
    attachments_of,
    fields_of,
    point_of,
    rest_of,
)
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.twilio import TWILIO
from services.ingest.domain.files import kind_of_file
from services.ingest.domain.text import cut, short
from shared.events import Event
from shared.events.contact import DeliveryChanged, MessageReceived
from shared.ids import KeyedIds

CHANNELS = {"whatsapp": "messaging", "rcs": "messaging", "messenger": "social"}
STATUSES = {
    "accepted": "queued",
    "scheduled": "queued",
    "queued": "queued",
    "sending": "queued",
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}
INBOUND = frozenset({"received", "receiving"})
MAPPED = frozenset(
    {"MessageSid", "SmsSid", "SmsMessageSid", "AccountSid", "From", "To", "Body", "NumMedia"}
    | {"NumSegments", "SmsStatus", "MessageStatus", "ApiVersion", "ProfileName", "ToCountry"}
    | {"FromCountry", "ErrorCode", "ErrorMessage", "MessagingServiceSid", "DateSent"}
)
NUMBERED = ("MediaUrl", "MediaContentType")


class Twilio(Adapter):
    """Twilio's messaging webhooks, signed with the account's auth token."""

    provider = "twilio"
    media_types = MEDIA_TYPES
    scheme = TWILIO
    options = frozenset({"public_url"})
    answer = ("text/xml", b"<Response/>")

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one message or one status."""
        fields = fields_of(request)
        if not fields.get("MessageSid") and not fields.get("SmsSid"):
            raise Unparseable("MessageSid: missing")
        builder = Builder(account, received_at, ids, vouched=True)
        events, broken = each(
            [fields], lambda part: [_translate(builder, part)], lambda _: request.body
        )
        return Parsed(tuple(events), tuple(broken))


def _translate(builder: Builder, fields: Fields) -> Event:
    status = fields.get("MessageStatus") or fields.get("SmsStatus") or "received"
    if status in INBOUND or "Body" in fields:
        return _message(builder, fields)
    return _status(builder, fields, status)


def _message(builder: Builder, fields: Fields) -> Event:
    own_id = fields.get("MessageSid") or fields["SmsSid"]
    text, truncated = cut(fields.get("Body", ""))
    attachments = attachments_of(fields)
    return builder.event(
        MessageReceived,
        own_id,
        **_customer(builder, fields, "From"),
        message_id=own_id,
        kind=_kind(text, attachments),
        text=text or None,
        truncated=truncated,
        attachments=attachments,
        in_reply_to=fields.get("OriginalRepliedMessageSid") or None,
        raw=rest_of(fields, MAPPED, NUMBERED),
    )


def _status(builder: Builder, fields: Fields, status: str) -> Event:
    message_id = fields.get("MessageSid") or fields["SmsSid"]
    reason = " ".join(filter(None, (fields.get("ErrorCode"), fields.get("ErrorMessage"))))
    return builder.event(
        DeliveryChanged,
        f"{message_id}/{status}",
        **_customer(builder, fields, "To"),
        message_id=message_id,
        status=STATUSES.get(status, "unknown"),
        reason=short(reason),
        raw=rest_of(fields, MAPPED, NUMBERED),
    )


def _customer(builder: Builder, fields: Fields, name: str) -> dict[str, Any]:
    address = fields.get(name, "").strip()
    if not address:
        raise Broken(f"{name}: missing")
    carrier, separator, value = address.partition(":")
    channel = CHANNELS.get(carrier, "messaging") if separator else "sms"
    point = point_of(builder.account.name, carrier if separator else "sms", value or address)
    return {
        "conversation": (carrier if separator else "sms", point),
        "channel": channel,
        "occurred_at": from_http_date(fields.get("DateSent")),
        "contact_points": (point,),
        "reply_to": address,
        "display_name": short(fields.get("ProfileName")),
    }


def _kind(text: str, attachments: list[dict[str, Any]]) -> str:
    if text or not attachments:
        return "text"
    return kind_of_file(attachments[0]["media_type"])
