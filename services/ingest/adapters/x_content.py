"""What a direct message or a post on X says, and when."""

from datetime import UTC, datetime
from typing import Any

from services.ingest.adapters.building import from_unix
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.text import cut

KINDS = {"photo": "image", "video": "video", "animated_gif": "video"}
TYPES = {"photo": "image/jpeg", "video": "video/mp4", "animated_gif": "video/mp4"}


def text_of(message: dict[str, Any]) -> tuple[str | None, bool]:
    """Return the whole text with X's three escapes undone, and whether it had to be cut."""
    written = string_at(message, "extended_tweet", "full_text") or string_at(message, "text") or ""
    for escape, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        written = written.replace(escape, sign)
    text, truncated = cut(written)
    return text or None, truncated


def media_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return X's own records of the files: one of a direct message, up to four of a post."""
    attached = object_at(message, "attachment", "media")
    extended = object_at(message, "extended_tweet", "extended_entities")
    posted = list_at(extended, "media") or list_at(message, "extended_entities", "media")
    return [media for media in ([attached] if attached else posted) if isinstance(media, dict)]


def kind_of(message: dict[str, Any]) -> str:
    """Return what a message is: text, or the kind of its first file."""
    media = media_of(message)
    if string_at(message, "text") or not media:
        return "text"
    return KINDS.get(string_at(media[0], "type") or "", "unknown")


def attachments_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files by their addresses; those of direct messages need our credentials."""
    return [
        {
            "reference": address[:2048],
            "media_type": TYPES.get(string_at(media, "type") or "", "application/octet-stream"),
        }
        for media in media_of(message)
        if (address := string_at(media, "media_url_https"))
    ]


def posted_at(post: dict[str, Any]) -> datetime | None:
    """Return when a post was made: in milliseconds, or as X writes dates."""
    moment = from_unix(string_at(post, "timestamp_ms"))
    if moment:
        return moment
    try:
        written = string_at(post, "created_at") or ""
        return datetime.strptime(written, "%a %b %d %H:%M:%S %z %Y").astimezone(UTC)
    except (ValueError, OverflowError):  # no date, or one at the end of time
        return None
