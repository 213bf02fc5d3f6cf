"""What the sla service keeps: one document per clock, under an id made from its conversation."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from services.sla.domain.clock import Clock, Status
from services.sla.domain.promises import FIRST_RESPONSE
from shared.ids import derived_id
from shared.mongo import Collection, Index
from shared.streams import Document

CLOCKS = "clocks"

COLLECTIONS = (
    Collection(
        CLOCKS,
        (
            Index((("case_reference", 1),), where={"case_reference": {"$type": "string"}}),
            Index((("status", 1), ("due_at", 1))),
        ),
    ),
)


@lru_cache(4_096)  # a batch asks three times for each of at most 500 conversations
def clock_id_of(conversation_id: str) -> str:
    """Return the id of a conversation's first-response clock."""
    return derived_id("clock", conversation_id, FIRST_RESPONSE)


def blank_clock(conversation_id: str, channel: str) -> Clock:
    """Return the clock of a conversation of which nothing is known."""
    return Clock(clock_id_of(conversation_id), conversation_id, channel, FIRST_RESPONSE)


def to_document(clock: Clock) -> Document:
    """Return the clock as it is kept."""
    return {
        "_id": clock.clock_id,
        "conversation_id": clock.conversation_id,
        "channel": clock.channel,
        "target": clock.target,
        "status": clock.status.value,
        "contact_points": list(clock.contact_points),
        "started_at": clock.started_at,
        "due_at": clock.due_at,
        "warnings": [{"share": share, "at": at} for share, at in clock.warnings],
        "warned": list(clock.warned),
        "stopped_at": clock.stopped_at,
        "earlier_answers": list(clock.earlier_answers),
        "breach_told": clock.breach_told,
        "charter_version": clock.charter_version,
        "case_id": clock.case_id,
        "case_reference": clock.case_reference,
    }


def from_document(document: Document) -> Clock:
    """Return the clock that a document keeps."""
    return Clock(
        clock_id=document["_id"],
        conversation_id=document["conversation_id"],
        channel=document["channel"],
        target=document["target"],
        status=Status(document["status"]),
        contact_points=tuple(document["contact_points"]),
        started_at=document["started_at"],
        due_at=document["due_at"],
        warnings=tuple((warning["share"], warning["at"]) for warning in document["warnings"]),
        warned=tuple(document["warned"]),
        stopped_at=document["stopped_at"],
        earlier_answers=tuple(document["earlier_answers"]),
        breach_told=document["breach_told"],
        charter_version=document["charter_version"],
        case_id=document["case_id"],
        case_reference=document["case_reference"],
    )


def clocks_query(
    conversation_id: str | None, case_reference: str | None, status: str | None
) -> dict[str, Any]:
    """Return the filter for clocks that customers' promises have started, by what was asked."""
    query: dict[str, Any] = {"status": status or {"$ne": Status.WAITING.value}}
    if conversation_id is not None:
        query["_id"] = clock_id_of(conversation_id)
    if case_reference is not None:
        query["case_reference"] = case_reference
    return query


def readable(document: Document) -> dict[str, Any]:
    """Return a clock as the API shows it: what is promised and how it stands, no addresses."""
    shown = (
        "conversation_id",
        "channel",
        "target",
        "status",
        "started_at",
        "due_at",
        "stopped_at",
        "case_id",
        "case_reference",
        "charter_version",
    )
    return {
        "clock_id": document["_id"],
        **{name: document[name] for name in shown},
        "warnings": [
            {**warning, "told": warning["share"] in document["warned"]}
            for warning in document["warnings"]
        ],
    }


def is_started(document: Document) -> bool:
    """Return whether the document is a promise already, or only what came before one."""
    started_at: datetime | None = document["started_at"]
    return started_at is not None
