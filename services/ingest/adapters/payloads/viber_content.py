"""What a Viber message says: its kind, its text, its file."""

from typing import Any

from services.ingest.adapters.payloads.json_parts import joined, places_at, size_at
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import cut, short

KINDS = {
    "text": "text",
    "url": "text",
    "picture": "image",
    "video": "video",
    "file": "document",
    "sticker": "sticker",
    "location": "location",
    "contact": "contact",
}
TYPES = {"picture": "image/jpeg", "video": "video/mp4"}


def text_of(message: dict[str, Any]) -> tuple[str | None, bool]:
    """Return the text, place, contact or address of a message, and whether it had to be cut."""
    kind, found = string_at(message, "type"), string_at(message, "text")
    if kind == "location":
        found = places_at(object_at(message, "location"), "lat", "lon")
    elif kind == "contact":
        contact = object_at(message, "contact")
        found = joined(string_at(contact, "name"), string_at(contact, "phone_number"))
    elif kind == "url":
        found = joined(found, string_at(message, "media"))
    text, truncated = cut(found or "")
    return text or None, truncated


def attachments_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the file of a message by its address."""
    reference, kind = string_at(message, "media"), string_at(message, "type") or ""
    if reference is None or kind == "url":
        return []
    return [
        {
            "reference": reference[:2048],
            "media_type": TYPES.get(kind, "application/octet-stream"),
            "name": short(string_at(message, "file_name")),
            "size": size_at(message, "size", "file_size"),
        }
    ]
