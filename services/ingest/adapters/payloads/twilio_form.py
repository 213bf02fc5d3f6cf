"""What Twilio's webhooks have in common, whether they tell of messages or of calls: their fields.

Source: Twilio's pages "Messaging webhooks" and "Voice webhooks": a form of flat names, or the
same names in a JSON object.
"""

import json
import re
from collections.abc import Container, Mapping
from typing import Any

from services.ingest.adapters.contract import Broken, Unparseable
from services.ingest.adapters.request import RawRequest
from services.ingest.adapters.schemes.twilio import FORM
from services.ingest.domain import limits
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.domain.text import clean
from services.ingest.domain.urlencoded import UnreadableForm, form_pairs
from shared.contact_points import InvalidContactPoint, contact_point

MEDIA_TYPES = frozenset({FORM, "application/json"})
Fields = Mapping[str, str]
_MEDIA_AT_MOST = 20  # Twilio sends up to 10
_NUMBER = re.compile(r"\+?[0-9]{6,15}")


def fields_of(request: RawRequest) -> Fields:
    """Return the fields of a webhook; raise `Unparseable` for what holds none."""
    if request.media_type() == "application/json":
        try:
            found = parse_json(request.body)
        except Malformed:
            raise Unparseable("body: json") from None
        if not isinstance(found, dict):
            raise Unparseable("body: not an object")
        return {clean(name): clean(str(value)) for name, value in found.items()}
    try:
        pairs = form_pairs(request.body)
    except UnreadableForm:
        raise Unparseable("body: form") from None
    return {clean(name): clean(value) for name, value in pairs}


def point_of(account: str, scheme: str, value: str) -> str:
    """Return `tel:` for a number; a short code or another id stays within this channel account."""
    if _NUMBER.fullmatch(value):
        try:
            return contact_point("tel", value)
        except InvalidContactPoint:
            pass
    return contact_point(scheme, f"twilio-{account}/{value}")


def rest_of(
    fields: Fields, mapped: Container[str], numbered: tuple[str, ...] = ()
) -> dict[str, str] | None:
    """Return the filled fields that have no place in the event, or None; `Broken` if too large."""
    rest = {
        name: value
        for name, value in fields.items()
        if value and name not in mapped and not (numbered and name.startswith(numbered))
    }
    if len(json.dumps(rest)) > limits.PART:
        raise Broken("fields: too large")
    return rest or None


def attachments_of(fields: Fields) -> list[dict[str, Any]]:
    """Return the media of a message, by reference: they stay at Twilio."""
    return [
        {
            "reference": fields[f"MediaUrl{index}"][:2048],
            "media_type": fields.get(f"MediaContentType{index}", "")[:255]
            or "application/octet-stream",
        }
        for index in range(_MEDIA_AT_MOST)
        if fields.get(f"MediaUrl{index}")
    ]
