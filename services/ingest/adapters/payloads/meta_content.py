"""What a message on Messenger or Instagram says: its kind, its text, its files."""

from typing import Any

from services.ingest.adapters.payloads.json_parts import places_at
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.text import cut

KINDS = {
    "image": "image",
    "audio": "audio",
    "video": "video",
    "file": "document",
    "location": "location",
    "fallback": "text",
    "share": "share",
    "post": "share",
    "ig_post": "share",
    "reel": "share",
    "ig_reel": "share",
    "story_mention": "story-mention",
    "template": "template",
}
FILES = 20
"""Attachments kept of one message: Meta sends up to 10."""


def kind_of(message: dict[str, Any]) -> str:
    """Return what a message is: its first attachment's kind, or text."""
    if message.get("is_unsupported") is True:
        return "unknown"
    attachments = list_at(message, "attachments")
    if attachments:
        if string_at(attachments[0], "payload", "sticker_id"):
            return "sticker"
        return KINDS.get(string_at(attachments[0], "type") or "", "unknown")
    return "text" if string_at(message, "text") else "unknown"


def text_of(message: dict[str, Any]) -> tuple[str | None, bool]:
    """Return the text of a message, or the place or title of what it shares."""
    found = string_at(message, "text")
    if not found:
        found = next(filter(None, map(_title, list_at(message, "attachments"))), None)
    text, truncated = cut(found or "")
    return text or None, truncated


def _title(attachment: Any) -> str | None:
    place = places_at(object_at(attachment, "payload", "coordinates"), "lat", "long")
    title = string_at(attachment, "title") or string_at(attachment, "payload", "title")
    return place or title


def attachments_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files by their addresses; Meta does not tell their types."""
    return [
        {"reference": url[:2048]}
        for attachment in list_at(message, "attachments")[:FILES]
        if (url := string_at(attachment, "payload", "url") or string_at(attachment, "url"))
    ]
