"""What a bare loop writes: the documents and events of routing and sla, made by hand.

Field for field what the services write for a first message, without their rules: the queue, the
pool, the promise's length are constants here. They are the floor the services are measured
against, so they take every short cut that still gives the same bytes.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from shared.case_reference import case_reference
from shared.ids import derived_id

ByHand = Callable[[dict[str, Any], dict[str, list[Any]], list[Any]], None]
"""Adds one event's documents by collection, and its outbox entries."""

_VERSION = "0123456789ab"
_WITHIN = timedelta(minutes=15)
_WARN = timedelta(minutes=11, seconds=15)


def case_by_hand(event: dict[str, Any], documents: dict[str, list[Any]], outbox: list[Any]) -> None:
    """Add the case of a first message, and the two events about it."""
    data = event["data"]
    conversation = data["conversation_id"]
    case = derived_id("case", conversation, "0")
    work = derived_id("work", case)
    reference = case_reference(case)
    about = {
        "conversation_id": conversation,
        "channel": data["channel"],
        "contact_points": data["contact_points"],
        "case_id": case,
        "case_reference": reference,
    }
    documents.setdefault("cases", []).append(
        {
            "_id": case,
            "reference": reference,
            "conversation_id": conversation,
            "serial": 0,
            "opened_by": event["id"],
            "opened_at": datetime.fromisoformat(event["time"]),
            "completed_at": None,
            "channel": data["channel"],
            "queue": "orders",
            "pool": "default",
            "required_skills": ["orders"],
            "work_item_id": work,
        }
    )
    opened = {
        "about": about,
        "queue": "orders",
        "required_skills": ["orders"],
        "policy_version": _VERSION,
    }
    submitted = {
        **opened,
        "work_item_id": work,
        "pool": "default",
        "capacity_units": 1,
        "priority": 0,
        "arrived_at": event["time"],
    }
    _announce(outbox, event, "routing-events", "case.opened", conversation, opened)
    _announce(outbox, event, "routing-commands", "work-item.submitted", "default", submitted)


def clock_by_hand(
    event: dict[str, Any], documents: dict[str, list[Any]], outbox: list[Any]
) -> None:
    """Add the clock of a first message, its timer, and the event that it started."""
    data = event["data"]
    conversation = data["conversation_id"]
    clock = derived_id("clock", conversation, "first-response")
    started = datetime.fromisoformat(event["time"])
    due, warn = started + _WITHIN, started + _WARN
    documents.setdefault("clocks", []).append(
        {
            "_id": clock,
            "conversation_id": conversation,
            "channel": data["channel"],
            "target": "first-response",
            "status": "running",
            "contact_points": data["contact_points"],
            "started_at": started,
            "due_at": due,
            "warnings": [{"share": 0.75, "at": warn}],
            "warned": [],
            "stopped_at": None,
            "earlier_answers": [],
            "breach_told": None,
            "charter_version": _VERSION,
            "case_id": None,
            "case_reference": None,
        }
    )
    documents.setdefault("timers", []).append(
        {
            "_id": clock,
            "kind": "clock-warning",
            "due_at": warn,
            "data": {},
            "shard": "sla/contact-events/0",
        }
    )
    running = {
        "about": {
            "conversation_id": conversation,
            "channel": data["channel"],
            "contact_points": data["contact_points"],
        },
        "clock_id": clock,
        "target": "first-response",
        "started_at": event["time"],
        "due_at": due.isoformat(),
        "charter_version": _VERSION,
    }
    _announce(outbox, event, "sla-events", "clock.started", conversation, running)


def _announce(
    outbox: list[Any], cause: dict[str, Any], topic: str, kind: str, key: str, data: dict[str, Any]
) -> None:
    event = {
        "specversion": "1.0",
        "id": derived_id("evt", cause["id"], kind),
        "source": "/bare",
        "type": f"throughline.{kind}.v1",
        "time": cause["time"],
        "datacontenttype": "application/json",
        "partitionkey": key,
        "causationid": cause["id"],
        "data": data,
    }
    outbox.append([topic, key.encode(), json.dumps(event).encode()])
