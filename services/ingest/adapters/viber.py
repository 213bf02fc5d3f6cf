"""Viber bots: messages, subscriptions, and how far ours got.

Source: Viber's page "Viber REST bot API" (callbacks). A user's id holds for one bot only and the
payload does not name the bot, so the id is scoped by our channel account.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, from_unix, json_object, kept_whole
from services.ingest.adapters.contract import Adapter, Broken, Parsed, Unparseable
from services.ingest.adapters.payloads.json_parts import (
    Ignored,
    Translation,
    fingerprint,
    required,
    translated,
)
from services.ingest.adapters.payloads.viber_content import KINDS, attachments_of, text_of
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.base import Hmac
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import short
from shared.contact_points import contact_point
from shared.events.contact import ContactUnrecognised, DeliveryChanged, MessageReceived
from shared.ids import KeyedIds

STATUSES = {"delivered": "delivered", "seen": "read", "failed": "failed"}
IGNORED = frozenset({"webhook", "client_status", "action"})


class Viber(Adapter):
    """One bot's callbacks; Viber vouches for the times."""

    provider = "viber"
    scheme = Hmac(header="x-viber-content-signature", secret="auth_token")

    def parse(
        self, request: RawRequest, account: ChannelAccount, received_at: datetime, ids: KeyedIds
    ) -> Parsed:
        """Translate one callback."""
        payload = json_object(request.body)
        kind = string_at(payload, "event")
        if kind is None:
            raise Unparseable("event: missing")
        if kind in IGNORED:
            return Parsed(ignored=(kind,))
        builder = Builder(account, received_at, ids, vouched=True)
        translate = TRANSLATORS.get(kind, _other)
        return translated([payload], lambda part: translate(builder, part), lambda _: request.body)


def _message(builder: Builder, payload: dict[str, Any]) -> Translation:
    own_id, message = required(payload, "message_token"), object_at(payload, "message")
    kind = string_at(message, "type") or "unknown"
    text, truncated = text_of(message)
    return [
        builder.event(
            MessageReceived,
            own_id,
            **_common(builder, payload),
            message_id=own_id,
            kind=KINDS.get(kind, "unknown"),
            text=text or None,
            truncated=truncated,
            attachments=attachments_of(message),
            raw=None if kind == "text" else kept_whole(message),
        )
    ]


def _receipt(builder: Builder, payload: dict[str, Any]) -> Translation:
    message_id, kind = required(payload, "message_token"), required(payload, "event")
    told: dict[str, Any] = {"status": STATUSES[kind], "reason": short(string_at(payload, "desc"))}
    common = _common(builder, payload)
    own_id = f"{message_id}/{kind}"
    return [builder.event(DeliveryChanged, own_id, **common, message_id=message_id, **told)]


def _other(builder: Builder, payload: dict[str, Any]) -> Translation:
    if _user(payload) is None:
        raise Ignored("callback without a customer")
    named = short(required(payload, "event"))
    own_id = f"{named}/{string_at(payload, 'message_token') or fingerprint(payload)}"
    common, raw = _common(builder, payload), kept_whole(payload)
    return [builder.event(ContactUnrecognised, own_id, **common, kind=named, raw=raw)]


def _user(payload: dict[str, Any]) -> str | None:
    told = (string_at(payload, who, "id") for who in ("sender", "user"))
    return next(filter(None, told), None) or string_at(payload, "user_id")


def _common(builder: Builder, payload: dict[str, Any]) -> dict[str, Any]:
    user = _user(payload)
    if user is None:
        raise Broken("sender.id: missing")
    person = object_at(payload, "sender") or object_at(payload, "user")
    return {
        "conversation": (user,),
        "channel": "messaging",
        "occurred_at": from_unix(string_at(payload, "timestamp")),
        "contact_points": (contact_point("viber", f"{builder.account.name}/{user}"),),
        "display_name": short(string_at(person, "name")),
        "locale": (string_at(person, "language") or "")[:35] or None,
        "reply_to": user,
    }


TRANSLATORS: dict[str, Callable[[Builder, dict[str, Any]], Translation]] = {
    "message": _message,
    **dict.fromkeys(STATUSES, _receipt),
}
