"""What our own two formats, the web form and the portal, read alike."""

from collections.abc import Iterable
from typing import Any

from services.ingest.adapters.contract import Broken
from services.ingest.domain import limits
from services.ingest.domain.json_fields import list_at, string_at
from services.ingest.domain.text import clean, cut
from shared.contact_points import InvalidContactPoint, contact_point

FIELDS_AT_MOST = 200  # as the event model allows
NAME_AT_MOST = 255
LOCALE_AT_MOST = 35  # characters of a language tag, as the event model allows


def form_fields(given: Any) -> list[dict[str, str]]:
    """Return the answers of a form: an object, or a list of objects with `name` and `value`.

    A list of values becomes one answer, its values joined by commas; raises `Broken` for a name
    that is none and for too many answers.
    """
    pairs: Iterable[tuple[Any, Any]]
    if isinstance(given, dict):
        pairs = given.items()
    else:
        pairs = [(string_at(item, "name"), _value(item)) for item in list_at({"": given}, "")]
    return fields_of(pairs)


def fields_of(pairs: Iterable[tuple[Any, Any]]) -> list[dict[str, str]]:
    """Return name and value pairs as the answers of a form; raise `Broken`."""
    fields = []
    for name, value in pairs:
        if not isinstance(name, str) or not 1 <= len(name) <= NAME_AT_MOST:
            raise Broken("fields: a name is missing or too long")
        fields.append({"name": clean(name), "value": cut(_written(value))[0]})
    if len(fields) > FIELDS_AT_MOST:
        raise Broken("fields: too many")
    if sum(len(field["value"]) for field in fields) > limits.PART:
        raise Broken("fields: too large")
    return fields


def usable_point(scheme: str, value: str | None) -> str | None:
    """Return the contact point, or None for an address nobody could use.

    A telephone number counts with its country code only: `+386 40 …` or `00386 40 …`. Guessing
    the country would reach a stranger.
    """
    if not value:
        return None
    written = clean(value).strip()
    if scheme == "tel":
        written = "+" + written[2:] if written.startswith("00") else written
        if not written.startswith("+"):
            return None
    try:
        return contact_point(scheme, written)
    except InvalidContactPoint:
        return None


def language(written: str | None) -> str | None:
    """Return a language tag as it was given, or None for what can be none."""
    return clean(written) if written and len(written) <= LOCALE_AT_MOST else None


def _value(item: Any) -> Any:
    return item.get("value") if isinstance(item, dict) else None


def _written(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_written(inner) for inner in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None or isinstance(value, dict) else str(value)
