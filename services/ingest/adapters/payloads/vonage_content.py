"""What is in a message of Vonage's Messages API: its kind, its text, its files."""

from typing import Any

from services.ingest.domain.json_fields import string_at
from services.ingest.domain.text import short

KINDS = {
    **{name: name for name in ("text", "image", "audio", "video", "location", "sticker")},
    "file": "document",
    "vcard": "contact",
    "reply": "text",
    "button": "text",
    "unsupported": "unknown",
    "order": "unknown",
    "binary": "unknown",
}
FILES = ("image", "audio", "video", "file", "vcard", "sticker")


def text_of(payload: dict[str, Any]) -> str | None:
    """Return what the customer wrote, chose or captioned."""
    return string_at(payload, "text") or next(
        (
            found
            for path in (("reply", "title"), ("button", "text"), *((f, "caption") for f in FILES))
            if (found := string_at(payload, *path))
        ),
        None,
    )


def attachments_of(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files of a message, by Vonage's address of each."""
    return [
        {"reference": url[:2048], "name": short(string_at(payload, kind, "name"))}
        for kind in FILES
        if (url := string_at(payload, kind, "url"))
    ]
