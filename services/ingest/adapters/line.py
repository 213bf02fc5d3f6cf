"""LINE Messaging API: messages to an official account, edits, unsent ones, postbacks, followers.

Sources: LINE's pages "Messaging API reference: webhook event objects" and "Verify signature". A
redelivered event carries the same `webhookEventId`, so it gives the same ids.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, from_unix, json_object, kept_whole
from services.ingest.adapters.contract import Adapter, Broken, Parsed, Unparseable
from services.ingest.adapters.payloads.json_parts import Ignored, Translation, required, translated
from services.ingest.adapters.payloads.line_content import (
    KINDS,
    attachments_of,
    text_of,
    without_tokens,
)
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.base import Hmac
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import short
from shared.contact_points import contact_point
from shared.events.contact import (
    ChoiceMade,
    ContactUnrecognised,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
)
from shared.ids import KeyedIds

IGNORED = frozenset(
    {"activated", "botResumed", "botSuspended", "deactivated", "delivery", "module"}
    | {"join", "leave", "videoPlayComplete"}
)
SCOPES = ("groupId", "roomId", "userId")
Told = dict[str, Any]


class Line(Adapter):
    """One official account; LINE vouches for the times."""

    provider = "line"
    scheme = Hmac(header="x-line-signature", secret="channel_secret", encoding="base64")
    optional = frozenset({"provider_id"})

    def parse(
        self, request: RawRequest, account: ChannelAccount, received_at: datetime, ids: KeyedIds
    ) -> Parsed:
        """Translate one notification, which may hold many events, or none (LINE's own check)."""
        payload = json_object(request.body)
        events, bot = payload.get("events"), string_at(payload, "destination")
        if not isinstance(events, list) or bot is None:
            raise Unparseable("events: missing")
        if not events:
            return Parsed(ignored=("verification",))
        builder = Builder(account, received_at, ids, vouched=True)

        def as_payload(event: Any) -> bytes:
            return json.dumps({"destination": bot, "events": [event]}).encode()

        return translated(events, lambda event: _translate(builder, event, bot), as_payload)


def _translate(builder: Builder, event: Any, bot: str) -> Translation:
    kind, own_id = required(event, "type"), required(event, "webhookEventId")
    if kind in IGNORED:
        raise Ignored(kind)
    if not object_at(event, "source"):
        raise Ignored("event without a source")
    common = _common(builder, event, bot)
    return TRANSLATORS.get(kind, _other)(builder, event, own_id, common)


def _message(builder: Builder, event: Told, own_id: str, common: Told) -> Translation:
    message = object_at(event, "message")
    kind = string_at(message, "type") or "unknown"
    text, truncated = text_of(message)
    plain = kind == "text" and "emojis" not in message and string_at(event, "mode") != "standby"
    return [
        builder.event(
            MessageReceived,
            own_id,
            **common,
            message_id=required(message, "id"),
            kind=KINDS.get(kind, "unknown"),
            text=text,
            truncated=truncated,
            attachments=attachments_of(message),
            in_reply_to=string_at(message, "quotedMessageId"),
            raw=None if plain else kept_whole(without_tokens(event)),
        )
    ]


def _edited(builder: Builder, event: Told, own_id: str, common: Told) -> Translation:
    message_id, (text, _) = required(event, "message", "id"), text_of(object_at(event, "message"))
    return [builder.event(MessageEdited, own_id, **common, message_id=message_id, text=text)]


def _unsent(builder: Builder, event: Told, own_id: str, common: Told) -> Translation:
    message_id = required(event, "unsend", "messageId")
    return [builder.event(MessageDeleted, own_id, **common, message_id=message_id)]


def _postback(builder: Builder, event: Told, own_id: str, common: Told) -> Translation:
    postback = object_at(event, "postback")
    told: Told = {"menu": "postback", "choice": short(required(postback, "data"))}
    told |= {"raw": kept_whole(postback), "interaction_id": common["reply_to"]}
    return [builder.event(ChoiceMade, own_id, **common, **told)]


def _other(builder: Builder, event: Told, own_id: str, common: Told) -> Translation:
    named, raw = short(required(event, "type")), kept_whole(without_tokens(event))
    return [builder.event(ContactUnrecognised, own_id, **common, kind=named, raw=raw)]


def _common(builder: Builder, event: dict[str, Any], bot: str) -> dict[str, Any]:
    source = object_at(event, "source")
    ids = [found for name in SCOPES if (found := string_at(source, name))]
    if not ids:
        raise Broken("source.userId: missing")
    scope = builder.account.options.get("provider_id") or bot
    return {
        "conversation": tuple(ids),
        "channel": "messaging",
        "occurred_at": from_unix(string_at(event, "timestamp")),
        "contact_points": (contact_point("line", f"{scope}/{ids[-1]}"),),
        "reply_to": ids[0],
    }


TRANSLATORS: dict[str, Callable[[Builder, Told, str, Told], Translation]] = {
    "message": _message,
    "messageEdited": _edited,
    "unsend": _unsent,
    "postback": _postback,
}
