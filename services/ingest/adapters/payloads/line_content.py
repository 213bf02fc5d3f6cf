"""What a LINE message says: its kind, its text, its file."""

from typing import Any

from services.ingest.adapters.payloads.json_parts import joined, places_at, size_at
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import cut, short

KINDS = {
    "text": "text",
    "image": "image",
    "video": "video",
    "audio": "audio",
    "file": "document",
    "location": "location",
    "sticker": "sticker",
}
TYPES = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/x-m4a"}
"""What LINE serves these as; it does not tell a type."""


def text_of(message: dict[str, Any]) -> tuple[str | None, bool]:
    """Return the text, place or sticker's words, and whether it had to be cut."""
    found = string_at(message, "text")
    if string_at(message, "type") == "location":
        found = joined(string_at(message, "title"), string_at(message, "address"), by=", ")
        found = found or places_at(message, "latitude", "longitude")
    text, truncated = cut(found or "")
    return text or None, truncated


def attachments_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the file by the message's id, or by its address where it lies elsewhere."""
    kind = string_at(message, "type") or ""
    if kind not in TYPES and kind != "file":
        return []
    address = string_at(object_at(message, "contentProvider"), "originalContentUrl")
    reference = address or string_at(message, "id")
    if reference is None:
        return []
    return [
        {
            "reference": reference[:2048],
            "media_type": TYPES.get(kind, "application/octet-stream"),
            "name": short(string_at(message, "fileName")),
            "size": size_at(message, "fileSize"),
        }
    ]


def without_tokens(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event without what would let a reader answer or quote in our name."""
    message = {k: v for k, v in object_at(event, "message").items() if not k.endswith("Token")}
    return {**{k: v for k, v in event.items() if k != "replyToken"}, "message": message}
