"""JSON Schemas of events: as they travel on our topics, and as integrators send them."""

import json
from typing import Any

from shared.events import Event
from shared.events.topics import TOPICS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ALWAYS_WRITTEN = ("specversion", "type")  # have a default in the model, never missing on the wire
_STAMPED = ("partitionkey", "time")  # of the envelope: ours to set, or to take from elsewhere
_STAMPED_DATA = ("received_at", "provider_event_id")


def event_types() -> list[type[Event]]:
    """Return every event type of the catalogue, by wire type."""
    kinds = {kind.wire_type: kind for topic in TOPICS for kind in topic.events}
    return [kinds[name] for name in sorted(kinds)]


def schema(kind: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema of an event as it travels on our topics."""
    body = kind.model_json_schema(mode="validation")
    body["required"] = sorted({*body["required"], *_ALWAYS_WRITTEN})
    return {"$schema": DIALECT, **body}


def inbox_schema(kind: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema of an event as integrators send it.

    What ingest stamps may be left out, and a field of `data` that nobody knows is refused.
    """
    body = schema(kind)
    body["required"] = [name for name in body["required"] if name not in _STAMPED]
    for part in body["$defs"].values():
        if "properties" in part:
            part["additionalProperties"] = False
            part["required"] = [
                name for name in part.get("required", ()) if name not in _STAMPED_DATA
            ]
    return body


def as_json(document: Any) -> str:
    """Return a document as its file holds it."""
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
