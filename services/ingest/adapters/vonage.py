"""Vonage: SMS and other messages by its Messages API, and how far ours got.

Sources: Vonage's Messages API reference (v1: inbound message, message status), "Signed webhooks";
for the older SMS API see `vonage_sms`. Vonage vouches for the times.
"""

from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, each, from_iso, json_object, kept_whole
from services.ingest.adapters.contract import Adapter, Broken, Parsed, Unparseable
from services.ingest.adapters.payloads.vonage_content import KINDS, attachments_of, text_of
from services.ingest.adapters.payloads.vonage_sms import JOINING, modern
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.vonage import FORM, VonageProof
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import clean, cut, short
from shared.contact_points import InvalidContactPoint, contact_point
from shared.events import Event
from shared.events.contact import (
    ContactUnrecognised,
    DeliveryChanged,
    MessageReacted,
    MessageReceived,
)
from shared.ids import KeyedIds

CHANNELS = {"sms": "sms", "mms": "sms", "messenger": "social", "instagram": "social"}
NUMBERED = frozenset({"sms", "mms", "rcs", "whatsapp", "viber_service"})
STATUSES = {
    "submitted": "sent",
    "accepted": "sent",
    "buffered": "queued",
    "delivered": "delivered",
    "read": "read",
    "rejected": "failed",
    "undeliverable": "failed",
    "failed": "failed",
    "expired": "failed",
    "deleted": "failed",
}


class Vonage(Adapter):
    """Vonage's Messages API, and the form of its older SMS API."""

    provider = "vonage"
    media_types = frozenset({"application/json", FORM})
    scheme = VonageProof()
    optional = frozenset({"api_key"})

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one message or one status."""
        form = request.media_type() == FORM and not request.body.lstrip().startswith(b"{")
        payload = modern(request.body) if form else json_object(request.body)
        if string_at(payload, "message_uuid") is None:
            raise Unparseable("message_uuid: missing")
        builder = Builder(account, received_at, ids, vouched=True)
        events, broken = each([payload], lambda p: [_translate(builder, p)], lambda _: request.body)
        return Parsed(tuple(events), tuple(broken))


def _translate(builder: Builder, payload: dict[str, Any]) -> Event:
    own_id = clean(string_at(payload, "message_uuid") or "")
    if status := string_at(payload, "status"):
        return _status(builder, payload, own_id, clean(status))
    kind = string_at(payload, "message_type")
    common = _common(builder, payload, "from")
    if kind == "reaction":
        return builder.event(
            MessageReacted,
            own_id,
            **common,
            message_id=string_at(payload, "context", "message_uuid"),
            reaction=short(string_at(payload, "reaction", "emoji")),
            removed=string_at(payload, "reaction", "action") == "unreact",
        )
    if kind not in KINDS:
        name, raw = short(kind or "unknown"), kept_whole(payload)
        return builder.event(ContactUnrecognised, own_id, **common, kind=name, raw=raw)
    text, truncated = cut(text_of(payload) or "")
    plain = kind == "text" and not any(name in payload for name in JOINING)
    return builder.event(
        MessageReceived,
        own_id,
        **common,
        message_id=own_id,
        kind=KINDS[kind],
        text=text or None,
        truncated=truncated,
        attachments=attachments_of(payload),
        in_reply_to=string_at(payload, "context", "message_uuid"),
        raw=None if plain else kept_whole(payload),
    )


def _status(builder: Builder, payload: dict[str, Any], own_id: str, status: str) -> Event:
    error = object_at(payload, "error")
    return builder.event(
        DeliveryChanged,
        f"{own_id}/{status}",
        **_common(builder, payload, "to"),
        message_id=own_id,
        status=STATUSES.get(status, "unknown"),
        reason=short(string_at(error, "title")),
        raw=kept_whole(payload) if error or status not in STATUSES else None,
    )


def _common(builder: Builder, payload: dict[str, Any], customer: str) -> dict[str, Any]:
    carrier, address = string_at(payload, "channel") or "sms", string_at(payload, customer)
    if address is None:
        raise Broken(f"{customer}: missing")
    point = _point(builder.account.name, clean(carrier), clean(address))
    return {
        "conversation": (carrier, point),
        "channel": CHANNELS.get(carrier, "messaging"),
        "occurred_at": from_iso(string_at(payload, "timestamp")),
        "contact_points": (point,),
        "reply_to": f"{carrier}:{clean(address)}",
        "display_name": short(string_at(payload, "profile", "name")),
    }


def _point(account: str, carrier: str, address: str) -> str:
    """Return `tel:` for a number; any other id stays within this channel account."""
    if carrier in NUMBERED and address.isascii() and address.lstrip("+").isdigit():
        try:
            return contact_point("tel", address)
        except InvalidContactPoint:
            pass  # a short code
    return contact_point(carrier.replace("_", "-"), f"vonage-{account}/{address}")
