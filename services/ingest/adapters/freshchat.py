"""Freshchat: messages of conversations, as its webhook tells them.

Source: Freshworks' page "Freshchat webhooks: payload structure and authentication", in the form of
2018 (`msg_parts`) and the later one (`message_parts`).
"""

from collections.abc import Iterator
from typing import Any

from services.ingest.adapters.building import Builder, from_iso, kept_whole
from services.ingest.adapters.contract import Adapter, Unparseable
from services.ingest.adapters.payloads.helpdesks import (
    Helpdesk,
    Person,
    file,
    message,
    person,
    unrecognised,
)
from services.ingest.adapters.payloads.json_parts import Ignored, Translation
from services.ingest.adapters.schemes.freshchat import RsaBody
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.text import clean
from shared.events import Event

CHANNELS = {
    "email": "email",
    "facebook": "social",
    "instagram": "social",
    "line": "messaging",
    "sms": "sms",
    "telegram": "messaging",
    "whatsapp": "messaging",
}
SENDERS = {"user": None, "agent": "agent", "bot": "bot", "system": "system"}
IGNORED = frozenset({"conversation_assignment", "conversation_resolution", "conversation_reopen"})
MEDIA_TYPES = {"image": "image/*", "video": "video/*", "audio": "audio/*", "file": None}


class Freshchat(Helpdesk, Adapter):
    """Freshchat's webhook, signed with the account's RSA key; Freshchat vouches for the times."""

    provider = "freshchat"
    scheme = RsaBody()

    def translate(self, builder: Builder, part: dict[str, Any]) -> Translation:
        """Return what one event means."""
        action = string_at(part, "action")
        if action is None:
            raise Unparseable("action: missing")
        if action in IGNORED:
            raise Ignored(action)
        said = object_at(part, "data", "message")
        if string_at(said, "message_type") == "private":
            raise Ignored("a private note")
        return [_message(builder, said) if action == "message_create" else _unknown(builder, part)]


def _message(builder: Builder, said: dict[str, Any]) -> Event:
    sender = SENDERS.get(string_at(said, "actor_type") or "", "system")
    parts = [each for name in ("message_parts", "msg_parts") for each in list_at(said, name)]
    text = "\n".join(filter(None, map(_text, parts)))
    files = list(_files(parts))
    known = text or files
    return message(
        builder,
        string_at(said, "id"),
        _customer(said),
        sender=sender,
        agent_id=string_at(said, "actor_id") if sender == "agent" else None,
        text=text,
        files=files,
        kind=None if known else "unknown",
        raw=None if known else kept_whole(said),
        **_where(said, string_at(said, "created_time")),
    )


def _text(part: Any) -> str | None:
    return string_at(part, "text", "content") or string_at(part, "properties", "text")


def _files(parts: list[Any]) -> Iterator[dict[str, Any]]:
    for part in parts:
        for name, usual in MEDIA_TYPES.items():
            found = object_at(part, name)
            if address := string_at(found, "url"):
                size = found.get("file_size_in_bytes")
                media_type = string_at(found, "content_type") or usual
                yield file(address, media_type, string_at(found, "name"), size)


def _customer(said: dict[str, Any]) -> Person:
    """Return the customer: `user_id`, which older payloads tell only where the customer wrote."""
    app, conversation = string_at(said, "app_id"), string_at(said, "conversation_id")
    user = string_at(said, "user_id")
    if user is None and string_at(said, "actor_type") == "user":
        user = string_at(said, "actor_id")
    if user is None and conversation:
        user = f"conversation-{conversation}"  # all that is told of whom an agent wrote to
    return person("freshchat", app, user, conversation)


def _where(said: dict[str, Any], at: str | None) -> dict[str, Any]:
    conversation = string_at(said, "conversation_id")
    return {
        "channel": CHANNELS.get(string_at(said, "message_source") or "", "chat"),
        "occurred_at": from_iso(at),
        "reply_to": clean(conversation)[:255] if conversation else None,
    }


def _unknown(builder: Builder, event: dict[str, Any]) -> Event:
    """Return an action we have no word for, if it tells of a message and so of a customer."""
    said, action = object_at(event, "data", "message"), string_at(event, "action") or ""
    given = _where(said, string_at(event, "action_time"))
    return unrecognised(builder, string_at(said, "id"), _customer(said), action, event, **given)
