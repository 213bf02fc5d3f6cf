"""What a WhatsApp message says: its kind, its text, its files."""

from typing import Any

from services.ingest.domain.json_fields import object_at, string_at, value_at
from services.ingest.domain.text import cut, short

KINDS = {
    "text": "text",
    "button": "text",
    "interactive": "text",
    "image": "image",
    "audio": "audio",
    "video": "video",
    "document": "document",
    "sticker": "sticker",
    "location": "location",
    "contacts": "contact",
    "order": "order",
    "system": "system",
}
TEXTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "text": (("text", "body"),),
    "button": (("button", "text"),),
    "interactive": (
        ("interactive", "button_reply", "title"),
        ("interactive", "list_reply", "title"),
        ("interactive", "nfm_reply", "body"),
    ),
    "image": (("image", "caption"),),
    "video": (("video", "caption"),),
    "document": (("document", "caption"),),
    "location": (("location", "name"), ("location", "address")),
    "order": (("order", "text"),),
    "system": (("system", "body"),),
}
MEDIA = frozenset({"image", "audio", "video", "document", "sticker"})


def text_of(message: dict[str, Any], kind: str) -> tuple[str | None, bool]:
    """Return the text, caption or place of a message, and whether it had to be cut."""
    found = [text for path in TEXTS.get(kind, ()) if (text := string_at(message, *path))]
    if not found and kind == "location":
        found = [
            str(place)
            for name in ("latitude", "longitude")
            if (place := value_at(message, "location", name)) is not None
        ]
    text, truncated = cut(", ".join(found))
    return (text if found else None), truncated


def attachments_of(message: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the file of a message by the provider's own id."""
    if kind not in MEDIA:
        return []
    media = object_at(message, kind)
    reference = string_at(media, "id")
    if reference is None:
        return []
    media_type = string_at(media, "mime_type") or "application/octet-stream"
    return [
        {
            "reference": reference,
            "media_type": media_type[:255],
            "name": short(string_at(media, "filename")),
        }
    ]
