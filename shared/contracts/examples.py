"""The example events that lie beside the models: every type, as it travels."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "events" / "examples"

_OURS = ("partitionkey", "causationid")
_OUR_DATA = ("received_at",)


@cache
def examples() -> Mapping[str, tuple[dict[str, Any], ...]]:
    """Return the examples of each wire type, the plain one first."""
    found: dict[str, tuple[dict[str, Any], ...]] = {}
    for path in sorted(FOLDER.glob("*.json"), key=lambda path: (len(path.name), path.name)):
        event = json.loads(path.read_text(encoding="utf-8"))
        found[event["type"]] = (*found.get(event["type"], ()), event)
    return found


def as_sent(event: dict[str, Any]) -> dict[str, Any]:
    """Return an example as an integrator sends it: without what ingest stamps."""
    data = {name: value for name, value in event["data"].items() if name not in _OUR_DATA}
    if "conversation_id" in data:  # in the integrator's own words: our ids are for our own accounts
        data["conversation_id"] = "enquiry-7"
    if str(data.get("original", "")).startswith("blob:"):  # nobody else can name our bytes
        del data["original"]
    return {**{name: value for name, value in event.items() if name not in _OURS}, "data": data}
