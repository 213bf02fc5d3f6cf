"""Messenger's and Instagram's messages: one item of `entry[].messaging[]` becomes contact events.

Sources: Meta's pages "Messenger Platform webhook events" and "Webhooks for Instagram Messaging".
A person's id holds for one page (or Instagram account) only, so it is scoped by that.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
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
from services.ingest.adapters.payloads.meta import window_after
from services.ingest.adapters.payloads.meta_content import attachments_of, kind_of, text_of
from services.ingest.domain import limits
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.text import cut, short
from shared.contact_points import contact_point
from shared.events.contact import (
    ChoiceMade,
    ContactUnrecognised,
    DeliveryChanged,
    MessageDeleted,
    MessageEdited,
    MessageReacted,
)

HANDOVERS = frozenset(
    {"app_roles", "pass_thread_control", "request_thread_control", "take_thread_control"}
)
ENVELOPE = frozenset({"sender", "recipient", "timestamp"})


@dataclass(frozen=True, slots=True)
class Item:
    """One item with the page it is about; `place` is the list of the entry it stood in."""

    platform: str
    page: str | None
    body: Any
    place: str = "messaging"

    def as_payload(self) -> bytes:
        """Return a payload that holds only this item."""
        entry = {"id": self.page, self.place: [self.body]}
        return json.dumps({"object": self.platform, "entry": [entry]}).encode()


def translate(builder: Builder, item: Item) -> Translation:
    """Return what one item means."""
    ours = builder.account.options.get("page_id")
    if ours and item.page not in (ours, None):
        raise Broken("entry.id: another page's")
    body = item.body
    kind = next((name for name in TRANSLATORS if object_at(body, name)), None)
    if kind:
        return TRANSLATORS[kind](builder, item, object_at(body, kind))
    sender = string_at(body, "sender", "id")
    if sender is None or sender == item.page == string_at(body, "recipient", "id"):
        raise Ignored("notice without a customer")
    if HANDOVERS & body.keys():
        raise Ignored("hand-over between apps")
    named = next((name for name in body if name not in ENVELOPE), "unknown")
    own_id = f"{short(named)}/{fingerprint(body)}"
    common = _common(builder, item)
    return [
        builder.event(
            ContactUnrecognised, own_id, **common, kind=short(named), raw=kept_whole(body)
        )
    ]


def _message(builder: Builder, item: Item, message: dict[str, Any]) -> Translation:
    own_id, echo = required(message, "mid"), message.get("is_echo") is True
    common = _common(builder, item, echo=echo)
    if message.get("is_deleted") is True:
        return [builder.event(MessageDeleted, f"{own_id}/deleted", **common, message_id=own_id)]
    app = builder.account.options.get("app_id")
    if echo and app and string_at(message, "app_id") == app:
        raise Ignored("echo of our own app")
    plain = message.keys() <= {"mid", "text", "reply_to", "is_echo", "app_id"}
    story = object_at(message, "reply_to", "story")
    return [
        message_event(
            builder,
            own_id,
            text_of(message),
            sent_by="agent" if echo else None,
            kind=kind_of(message),
            attachments=attachments_of(message),
            in_reply_to=string_at(message, "reply_to", "mid") or string_at(story, "id"),
            raw=None if plain and not story else kept_whole(item.body),
            **common,
            **({} if echo else _window(common)),
        )
    ]


def _edit(builder: Builder, item: Item, edited: dict[str, Any]) -> Translation:
    message_id, text = required(edited, "mid"), cut(string_at(edited, "text") or "")[0]
    own_id = f"{message_id}/edit/{string_at(edited, 'num_edit') or fingerprint(edited)}"
    common = _common(builder, item)
    return [builder.event(MessageEdited, own_id, **common, message_id=message_id, text=text)]


def _reaction(builder: Builder, item: Item, reaction: dict[str, Any]) -> Translation:
    message_id = required(reaction, "mid")
    common = _common(builder, item)
    return [
        builder.event(
            MessageReacted,
            f"{message_id}/reaction/{fingerprint(item.body)}",
            **common,
            message_id=message_id,
            reaction=short(string_at(reaction, "emoji") or string_at(reaction, "reaction")),
            removed=string_at(reaction, "action") == "unreact",
        )
    ]


def _postback(builder: Builder, item: Item, postback: dict[str, Any]) -> Translation:
    common = _common(builder, item)
    title, payload = string_at(postback, "title"), string_at(postback, "payload")
    return [
        builder.event(
            ChoiceMade,
            string_at(postback, "mid") or f"postback/{fingerprint(item.body)}",
            **common,
            **_window(common),
            interaction_id=common["reply_to"],
            menu=short(payload or title) or "postback",
            choice=short(title or payload) or "postback",
            raw=kept_whole(item.body),
        )
    ]


def _receipt(status: str) -> Callable[[Builder, Item, dict[str, Any]], Translation]:
    def translate_receipt(builder: Builder, item: Item, receipt: dict[str, Any]) -> Translation:
        common = _common(builder, item)
        ids = [one for one in list_at(receipt, "mids") if isinstance(one, str) and one]
        ids += [one for one in (string_at(receipt, "mid"),) if one]
        if len(ids) > limits.PARTS:
            raise Broken("mids: too many")
        if ids:
            return [
                builder.event(
                    DeliveryChanged, f"{one}/{status}", **common, message_id=one, status=status
                )
                for one in ids
            ]
        mark = required(receipt, "watermark")
        own_id = f"{status}/{common['reply_to']}/{mark}"
        return [
            builder.event(DeliveryChanged, own_id, **common, up_to=from_unix(mark), status=status)
        ]

    return translate_receipt


TRANSLATORS: dict[str, Callable[[Builder, Item, dict[str, Any]], Translation]] = {
    "message": _message,
    "message_edit": _edit,
    "reaction": _reaction,
    "postback": _postback,
    "delivery": _receipt("delivered"),
    "read": _receipt("read"),
}


def _window(common: dict[str, Any]) -> dict[str, Any]:
    return {"window_closes_at": window_after(common["occurred_at"])}


def _common(builder: Builder, item: Item, *, echo: bool = False) -> dict[str, Any]:
    """Return what every event tells; the customer is the one of the two who is not the page."""
    sender, recipient = (string_at(item.body, who, "id") for who in ("sender", "recipient"))
    if echo or (sender == item.page and recipient):
        sender, recipient = recipient, sender
    page = item.page or recipient
    if sender is None or page is None:
        raise Broken("sender.id: missing")
    return {
        "conversation": (page, sender),
        "channel": "social",
        "occurred_at": from_unix(string_at(item.body, "timestamp")),
        "contact_points": (contact_point(builder.account.provider, f"{page}/{sender}"),),
        "reply_to": sender,
    }
