"""Twilio: SMS and other messages it carries, and how far ours got.

Sources: Twilio's pages "Webhooks security", "Messaging webhooks" and "Message status callback".

What is signed is the URL configured at Twilio, so it is rebuilt from the option `public_url` and
never from the `Host` header. Inbound messages carry no time: they count when they reach us.
"""

import hashlib
import hmac
import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from services.ingest.adapters.building import Builder, each
from services.ingest.adapters.contract import (
    Adapter,
    Broken,
    ChannelAccount,
    Parsed,
    RawRequest,
    SignatureRefused,
    Unparseable,
)
from services.ingest.adapters.signatures import require_base64
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
_PORTS = {"https": 443, "http": 80}
_MEDIA_AT_MOST = 20  # Twilio sends up to 10
_NUMBER = re.compile(r"\+?[0-9]{6,15}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class Twilio(Adapter):
    """Twilio's messaging webhooks, signed with the account's auth token."""

    provider = "twilio"
    media_types = frozenset({_FORM, "application/json"})
    secrets = frozenset({"auth_token"})
    options = frozenset({"public_url"})
    answer = ("text/xml", b"<Response/>")

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Check `X-Twilio-Signature` over our public URL and the form (no time is signed)."""
        given = request.signature("x-twilio-signature")
        hashes = [value for name, value in _pairs(request.query) if name == "bodySHA256"]
        if len(hashes) > 1:
            raise SignatureRefused("doubled")
        if hashes:
            _require_hash(hashes[0], request.body)
            fields = ""
        elif request.media_type() == _FORM:
            fields = _signed_fields(request.body)
        else:
            raise SignatureRefused("missing")  # only a form may come without bodySHA256
        signed = [
            (url + fields).encode("utf-8", "surrogateescape")
            for url in _signed_urls(account.options["public_url"], request.query)
        ]
        require_base64(given, signed, account.secrets["auth_token"], "sha1")

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


def _require_hash(given: str, body: bytes) -> None:
    if not _SHA256.fullmatch(given):
        raise SignatureRefused("malformed")
    if not hmac.compare_digest(given.lower(), hashlib.sha256(body).hexdigest()):
        raise SignatureRefused("wrong")


def _pairs(form: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            form,
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=limits.FORM_FIELDS,
        )
    except ValueError:
        raise SignatureRefused("malformed") from None


def _signed_fields(body: bytes) -> str:
    """Return names and values as Twilio signs them: sorted, equal pairs once."""
    pairs = sorted(set(_pairs(body.decode("utf-8", "surrogateescape"))))
    return "".join(name + value for name, value in pairs)


def _signed_urls(public_url: str, query: str) -> tuple[str, ...]:
    """Return the URL with and without its port: Twilio signs either (its error 57012)."""
    parts = urlsplit(public_url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    default = _PORTS.get(parts.scheme)
    port = parts.port or default
    hosts = dict.fromkeys((parts.netloc, f"{host}:{port}", host))
    return tuple(
        urlunsplit((parts.scheme, name, parts.path, query or parts.query, "")) for name in hosts
    )


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
        pairs = _pairs(request.body.decode("utf-8", "surrogateescape"))
    except SignatureRefused:
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
