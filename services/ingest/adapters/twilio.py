"""Twilio: SMS and other messages it carries, and how far ours got.

Sources: Twilio's pages "Webhooks security", "Messaging webhooks" and "Message status callback".

Inbound messages carry no time: they count when they reach us.
"""

import json
import re
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, each
from services.ingest.adapters.contract import (
    Adapter,
    Broken,
    ChannelAccount,
    Parsed,
    RawRequest,
    Unparseable,
)
from services.ingest.adapters.twilio_scheme import TWILIO, form_pairs
from services.ingest.domain import limits
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.domain.text import clean, cut, short
from shared.contact_points import InvalidContactPoint, contact_point
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
    | {"FromCountry", "ErrorCode", "ErrorMessage", "MessagingServiceSid"}
)
_FORM = "application/x-www-form-urlencoded"
_MEDIA_AT_MOST = 20  # Twilio sends up to 10
_NUMBER = re.compile(r"\+?[0-9]{6,15}")


class Twilio(Adapter):
    """Twilio's messaging webhooks, signed with the account's auth token."""

    provider = "twilio"
    media_types = frozenset({_FORM, "application/json"})
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
        fields = _fields(request)
        if not fields.get("MessageSid") and not fields.get("SmsSid"):
            raise Unparseable("MessageSid: missing")
        builder = Builder(account, received_at, ids, vouched=False)
        events, broken = each(
            [fields], lambda part: [_translate(builder, part)], lambda _: request.body
        )
        return Parsed(tuple(events), tuple(broken))


def _fields(request: RawRequest) -> dict[str, str]:
    if request.media_type() == "application/json":
        try:
            found = parse_json(request.body)
        except Malformed:
            raise Unparseable("body: json") from None
        if not isinstance(found, dict):
            raise Unparseable("body: not an object")
        return {clean(name): clean(str(value)) for name, value in found.items()}
    try:
        pairs = form_pairs(request.body.decode("utf-8", "surrogateescape"))
    except ValueError:
        raise Unparseable("body: form") from None
    return {clean(name): clean(value) for name, value in pairs}


def _translate(builder: Builder, fields: dict[str, str]) -> Event:
    status = fields.get("MessageStatus") or fields.get("SmsStatus") or "received"
    if status in INBOUND or "Body" in fields:
        return _message(builder, fields)
    return _status(builder, fields, status)


def _message(builder: Builder, fields: dict[str, str]) -> Event:
    own_id = fields.get("MessageSid") or fields["SmsSid"]
    text, truncated = cut(fields.get("Body", ""))
    attachments = _attachments(fields)
    return builder.event(
        MessageReceived,
        own_id,
        **_customer(builder, fields, "From"),
        occurred_at=None,
        message_id=own_id,
        kind=_kind(text, attachments),
        text=text or None,
        truncated=truncated,
        attachments=attachments,
        in_reply_to=fields.get("OriginalRepliedMessageSid") or None,
        raw=_raw(fields),
    )


def _status(builder: Builder, fields: dict[str, str], status: str) -> Event:
    message_id = fields.get("MessageSid") or fields["SmsSid"]
    reason = " ".join(filter(None, (fields.get("ErrorCode"), fields.get("ErrorMessage"))))
    return builder.event(
        DeliveryChanged,
        f"{message_id}/{status}",
        **_customer(builder, fields, "To"),
        occurred_at=None,
        message_id=message_id,
        status=STATUSES.get(status, "unknown"),
        reason=short(reason),
        raw=_raw(fields),
    )


def _customer(builder: Builder, fields: dict[str, str], name: str) -> dict[str, Any]:
    address = fields.get(name, "").strip()
    if not address:
        raise Broken(f"{name}: missing")
    carrier, separator, value = address.partition(":")
    channel = CHANNELS.get(carrier, "messaging") if separator else "sms"
    point = _contact_point(builder.account.name, carrier if separator else "sms", value or address)
    return {
        "thread": (carrier if separator else "sms", point),
        "channel": channel,
        "contact_points": (point,),
        "display_name": short(fields.get("ProfileName")),
    }


def _contact_point(account: str, carrier: str, value: str) -> str:
    """Return `tel:` for a number; a short code or a scoped id stays within this account."""
    if _NUMBER.fullmatch(value):
        try:
            return contact_point("tel", value)
        except InvalidContactPoint:
            pass
    return contact_point(carrier, f"twilio-{account}/{value}")


def _kind(text: str, attachments: list[dict[str, Any]]) -> str:
    if text or not attachments:
        return "text"
    major = str(attachments[0]["media_type"]).partition("/")[0]
    return major if major in ("image", "audio", "video") else "document"


def _attachments(fields: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "reference": fields[f"MediaUrl{index}"][:2048],
            "media_type": fields.get(f"MediaContentType{index}", "")[:255]
            or "application/octet-stream",
        }
        for index in range(_MEDIA_AT_MOST)
        if fields.get(f"MediaUrl{index}")
    ]


def _raw(fields: dict[str, str]) -> dict[str, str] | None:
    rest = {
        name: value
        for name, value in fields.items()
        if value and name not in MAPPED and not name.startswith(("MediaUrl", "MediaContentType"))
    }
    if len(json.dumps(rest)) > limits.PART:
        raise Broken("fields: too large")
    return rest or None
