"""What an Intercom notification tells of its conversation: whose it is, where, and its parts."""

from collections.abc import Iterator
from typing import Any

from services.ingest.adapters.building import from_unix
from services.ingest.adapters.contract import Broken
from services.ingest.adapters.payloads.helpdesks import Person, file, first, person
from services.ingest.adapters.payloads.json_parts import Ignored
from services.ingest.domain.html_text import text_of_html
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.text import clean

CHANNELS = {
    "email": "email",
    "facebook": "social",
    "instagram": "social",
    "twitter": "social",
    "phone_call": "voice",
    "phone_switch": "voice",
    "sms": "sms",
    "whatsapp": "messaging",
}


def split(note: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a notification for each part of the conversation; as it is if there are not more."""
    data, item = object_at(note, "data"), object_at(note, "data", "item")
    listed = object_at(item, "conversation_parts")
    found = list_at(listed, "conversation_parts")
    if len(found) < 2:
        yield note
        return
    for part in found:
        alone = {**item, "conversation_parts": {**listed, "conversation_parts": [part]}}
        yield {**note, "data": {**data, "item": alone}}


def part_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return the part that somebody wrote; notes, assignments and the like are not ours."""
    part = first(item, "conversation_parts", "conversation_parts")
    if not part:
        raise Broken("conversation_parts: none")
    if string_at(part, "part_type") == "note" or not (part.get("body") or part.get("attachments")):
        raise Ignored("a part without a message")
    return part


def source_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return what the conversation was opened with, as a part of it."""
    source = object_at(item, "source") or object_at(item, "conversation_message")
    return {"id": opening(item), **source, "created_at": item.get("created_at")}


def opening(item: dict[str, Any]) -> str | None:
    """Return the message id of what the conversation was opened with."""
    conversation = string_at(item, "id")
    return f"conversation/{conversation}" if conversation else None


def customer(note: Any, item: dict[str, Any], author: dict[str, Any] | None = None) -> Person:
    """Return the author, or else the conversation's contact (`user` in older versions)."""
    who = author or first(item, "contacts", "contacts") or object_at(item, "user")
    app, conversation = string_at(note, "app_id"), string_at(item, "id")
    return person("intercom", app, string_at(who, "id"), conversation, string_at(who, "name"))


def where(item: dict[str, Any], at: str | None) -> dict[str, Any]:
    """Return channel, time and where to answer."""
    conversation = string_at(item, "id")
    return {
        "channel": CHANNELS.get(string_at(item, "source", "type") or "", "chat"),
        "occurred_at": from_unix(at),
        "reply_to": clean(conversation)[:255] if conversation else None,
    }


def files_of(part: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the attachments by reference."""
    return [
        file(
            string_at(each, "url"),
            string_at(each, "content_type"),
            string_at(each, "name"),
            each.get("filesize"),
        )
        for each in list_at(part, "attachments")
        if isinstance(each, dict)
    ]


def text_of(written: str | None) -> str:
    """Return the text of a body: HTML, or since version 2.15 plain text."""
    if not written or not written.lstrip().startswith("<"):
        return written or ""
    return text_of_html(written)
