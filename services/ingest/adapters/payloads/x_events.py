"""What one event of X means: a direct message, a post, a receipt, a deletion."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, from_unix, kept_whole
from services.ingest.adapters.contract import Broken
from services.ingest.adapters.payloads.json_parts import (
    Ignored,
    Translation,
    fingerprint,
    message_event,
    required,
)
from services.ingest.adapters.payloads.x_content import attachments_of, kind_of, posted_at, text_of
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import short
from shared.contact_points import contact_point
from shared.events.contact import (
    ContactUnrecognised,
    DeliveryChanged,
    MessageDeleted,
)

IGNORED = frozenset(
    {"block_events", "direct_message_indicate_typing_events", "favorite_events", "follow_events"}
    | {"mute_events", "unblock_events", "unfollow_events", "unmute_events", "user_event"}
)


@dataclass(frozen=True, slots=True)
class Part:
    """One event of our account `ours`, with the people that the notification describes."""

    ours: str
    kind: str
    body: Any
    users: dict[str, Any]

    def as_payload(self) -> bytes:
        """Return a payload that holds only this event."""
        payload = {"for_user_id": self.ours, self.kind: [self.body], "users": self.users}
        return json.dumps(payload).encode()


def translate(builder: Builder, part: Part) -> Translation:
    """Return what one event means."""
    if part.kind in IGNORED:
        raise Ignored(part.kind)
    if builder.account.options.get("user_id", part.ours) != part.ours:
        raise Broken("for_user_id: another account's")
    return TRANSLATORS.get(part.kind, _other)(builder, part)


def _direct(builder: Builder, part: Part) -> Translation:
    own_id, created = required(part.body, "id"), object_at(part.body, "message_create")
    sender, target = required(created, "sender_id"), string_at(created, "target", "recipient_id")
    echo, app = sender == part.ours, builder.account.options.get("app_id")
    if echo and app and string_at(created, "source_app_id") == app:
        raise Ignored("echo of our own app")
    customer = target if echo else sender
    if customer is None:
        raise Broken("target.recipient_id: missing")
    common = _common(part, "dm", customer, from_unix(string_at(part.body, "created_timestamp")))
    data = object_at(created, "message_data")
    more = {} if data.keys() <= {"text", "entities"} else {"raw": kept_whole(data)}
    return _told(builder, own_id, data, {**common, **more}, echo=echo)


def _post(builder: Builder, part: Part) -> Translation:
    own_id, author = required(part.body, "id_str"), required(part.body, "user", "id_str")
    echo = author == part.ours
    customer = string_at(part.body, "in_reply_to_user_id_str") if echo else author
    if "retweeted_status" in part.body or customer is None or customer == part.ours:
        raise Ignored("repost or post to nobody")
    common = _common(part, "post", customer, posted_at(part.body))
    common["in_reply_to"] = string_at(part.body, "in_reply_to_status_id_str")
    common["reply_to"] = f"post:{own_id}"
    if not echo:
        common["display_name"] = short(string_at(part.body, "user", "name"))
        common["locale"] = (string_at(part.body, "lang") or "")[:35] or None
    return _told(builder, own_id, part.body, common, echo=echo)


def _told(
    builder: Builder, own_id: str, message: dict[str, Any], common: dict[str, Any], *, echo: bool
) -> Translation:
    return [
        message_event(
            builder,
            own_id,
            text_of(message),
            sent_by="agent" if echo else None,
            kind=kind_of(message),
            attachments=attachments_of(message),
            **common,
        )
    ]


def _read(builder: Builder, part: Part) -> Translation:
    moment = from_unix(string_at(part.body, "created_timestamp"))
    customer, last = required(part.body, "sender_id"), string_at(part.body, "last_read_event_id")
    if customer == part.ours:
        raise Ignored("read by us")
    common, own_id = _common(part, "dm", customer, moment), f"read/{customer}/{last}"
    told: dict[str, Any] = {"up_to": moment, "status": "read", "raw": {"last_read_event_id": last}}
    return [builder.event(DeliveryChanged, own_id, **common, **told)]


def _deleted(builder: Builder, part: Part) -> Translation:
    message_id, author = (
        required(part.body, "status", "id"),
        required(part.body, "status", "user_id"),
    )
    if author == part.ours:
        raise Ignored("post of ours deleted")
    common = _common(part, "post", author, posted_at(part.body))
    own_id = f"{message_id}/deleted"
    return [builder.event(MessageDeleted, own_id, **common, message_id=message_id)]


def _other(builder: Builder, part: Part) -> Translation:
    customer = string_at(part.body, "source", "id") or string_at(part.body, "sender_id")
    if customer is None or customer == part.ours:
        raise Ignored("event without a customer")
    common = _common(part, "dm", customer, None)
    own_id, named = f"{short(part.kind)}/{fingerprint(part.body)}", short(part.kind)
    raw = kept_whole(part.body)
    return [builder.event(ContactUnrecognised, own_id, **common, kind=named, raw=raw)]


def _common(part: Part, place: str, customer: str, moment: datetime | None) -> dict[str, Any]:
    return {
        "conversation": (part.ours, place, customer),
        "channel": "messaging" if place == "dm" else "social",
        "occurred_at": moment,
        "contact_points": (contact_point("x", customer),),
        "display_name": short(string_at(part.users, customer, "name")),
        "reply_to": f"dm:{customer}",
    }


TRANSLATORS: dict[str, Callable[[Builder, Part], Translation]] = {
    "direct_message_events": _direct,
    "direct_message_mark_read_events": _read,
    "tweet_create_events": _post,
    "tweet_delete_events": _deleted,
}
