"""People's text, made safe to encode and no longer than the event model allows."""

from services.ingest.domain import limits


def clean(text: str) -> str:
    """Return the text with lone surrogates replaced; everything else, NUL included, stays."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def cut(text: str, limit: int = limits.TEXT) -> tuple[str, bool]:
    """Return the clean beginning of a text and whether it had to be cut."""
    cleaned = clean(text)
    return cleaned[:limit], len(cleaned) > limit


def short(text: str | None) -> str | None:
    """Return a name or subject within its limit, or None if there is none."""
    return (cut(text, limits.SHORT_TEXT)[0] or None) if text else None
