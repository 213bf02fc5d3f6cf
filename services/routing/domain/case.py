"""When a customer's message opens a case: one open case per conversation at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from shared.case_reference import case_reference
from shared.ids import derived_id

_ATTEMPTS = 100  # with 10^8 references taken of 7.8·10^10, five attempts fail once in 10^14


@dataclass(frozen=True, slots=True)
class Case:
    """A case of a conversation: its `serial`-th, opened by an event, maybe completed."""

    case_id: str
    reference: str
    conversation_id: str
    serial: int
    opened_by: str
    opened_at: datetime
    completed_at: datetime | None = None


def due_serial(latest: Case | None, event_id: str, at: datetime) -> int | None:
    """Return the number of the case that this customer's event opens, or None if it opens none.

    The first event opens the first case. Later ones add nothing while it is open, and nothing
    if they count before its completion (so a replay opens nothing); one after it opens the next.
    """
    if latest is None:
        return 0
    if latest.completed_at is None or latest.opened_by == event_id or at <= latest.completed_at:
        return None
    return latest.serial + 1


@lru_cache(4_096)  # asked for in every round of a batch; eight batches of it are about 1 MB
def case_id_of(conversation_id: str, serial: int) -> str:
    """Return the id of a conversation's case."""
    return derived_id("case", conversation_id, str(serial))


_reference = lru_cache(4_096)(case_reference)  # as above


def open_case(
    conversation_id: str, serial: int, event_id: str, at: datetime, owners: Mapping[str, str]
) -> Case:
    """Return the new case with the first of its references that no other case has.

    `owners` tells which case has a reference.
    """
    case_id = case_id_of(conversation_id, serial)
    references = (_reference(case_id, attempt) for attempt in range(_ATTEMPTS))
    reference = next(known for known in references if owners.get(known, case_id) == case_id)
    return Case(case_id, reference, conversation_id, serial, event_id, at)
