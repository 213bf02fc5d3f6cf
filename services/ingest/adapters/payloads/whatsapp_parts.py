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


@dataclass(frozen=True, slots=True)
class Part:
    """One message or status with what stands around it."""

    kind: str
    body: Any
    value: dict[str, Any]
    field: str

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
    known = [Part(name, body, value, field) for name in names for body in list_at(value, name)]
    yield from known or [Part("unknown", value, {}, field)]
