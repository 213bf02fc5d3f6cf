"""The parts of a WhatsApp notification: each message, status or call with what stands around it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.ingest.domain.json_fields import list_at, object_at, string_at

LISTS = ("messages", "message_echoes", "statuses", "calls", "user_id_update")
"""The lists of a change that hold parts."""
IGNORED_FIELDS = frozenset(
    {"account_alerts", "account_review_update", "account_update", "business_capability_update"}
    | {"history", "message_template_quality_update", "message_template_status_update"}
    | {"phone_number_name_update", "phone_number_quality_update", "security"}
    | {"smb_app_state_sync", "template_category_update"}
)


class Contacts:
    """The contacts that a change lists, found by their ids: asked for with every part of it."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._listed = [one for one in list_at(value, "contacts") if isinstance(one, dict)]
        self._by_user_id = _places(self._listed, "user_id")
        self._by_number = _places(self._listed, "wa_id")

    def of(self, user_id: str | None, number: str | None) -> dict[str, Any] | None:
        """Return the first contact of that user id or of that number, or None."""
        found = (self._by_user_id.get(user_id), self._by_number.get(number))
        places = [place for place in found if place is not None]
        return self._listed[min(places)] if places else None

    def alone(self) -> dict[str, Any] | None:
        """Return the contact that is the only one listed, or None."""
        return self._listed[0] if len(self._listed) == 1 else None


def _places(listed: list[dict[str, Any]], name: str) -> dict[str | None, int]:
    """Return where in the list the first contact of each id is."""
    ids = ((string_at(contact, name), place) for place, contact in enumerate(listed))
    found: dict[str | None, int] = {}
    for own_id, place in ids:
        if own_id is not None:
            found.setdefault(own_id, place)
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """One message or status with what stands around it."""

    kind: str
    body: Any
    value: dict[str, Any]
    field: str
    contacts: Contacts

    def as_payload(self) -> bytes:
        """Return a payload that holds only this part."""
        value = {k: v for k, v in self.value.items() if k not in LISTS}
        change = {"field": self.field, "value": {**value, self.kind: [self.body]}}
        payload = {"object": "whatsapp_business_account", "entry": [{"changes": [change]}]}
        return json.dumps(payload).encode()


def split(payload: Any) -> tuple[list[Part], list[str]]:
    """Return the parts of a notification, and the names of what concerns no customer."""
    parts: list[Part] = []
    ignored: list[str] = []
    for entry in list_at(payload, "entry"):
        for change in list_at(entry, "changes"):
            field = string_at(change, "field") or "unknown"
            if field in IGNORED_FIELDS:
                ignored.append(field)
            else:
                parts.extend(_parts_of(field, object_at(change, "value")))
    return parts, ignored


def _parts_of(field: str, value: dict[str, Any]) -> Iterator[Part]:
    names = (*LISTS, *((field,) if field not in LISTS else ()))
    contacts = Contacts(value)
    known = [
        Part(name, body, value, field, contacts) for name in names for body in list_at(value, name)
    ]
    yield from known or [Part("unknown", value, {}, field, Contacts({}))]
