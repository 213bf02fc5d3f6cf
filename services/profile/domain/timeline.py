"""The timeline: one entry per fact, newest first, and where a reader of it stands."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MAX_CURSOR = 2_000  # an event id of 256 characters of 4 bytes, a time, and base64's third


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact on a timeline.

    `customer_id` is the one made from the first contact point, for ever, whoever stands for it
    later. `occurred_at` is the event time, `received_at` our edge (None for our own decisions),
    `recorded_at` when it was put on the timeline. `data` is the event's own, without what has a
    field here; `opaque` marks a type this version does not know, with all of its data.
    """

    entry_id: str
    customer_id: str
    kind: str
    occurred_at: datetime
    recorded_at: datetime
    data: Mapping[str, Any]
    received_at: datetime | None = None
    channel: str | None = None
    conversation_id: str | None = None
    case_id: str | None = None
    case_reference: str | None = None
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last entry a reader has: what follows is older, or as old with a smaller id."""

    occurred_at: datetime
    entry_id: str


class BrokenCursor(ValueError):
    """A cursor that we did not make."""


def to_millis(moment: datetime) -> int:
    """Return a time as whole milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND


def from_millis(millis: int) -> datetime:
    """Return the time that is so many milliseconds after 1970; `OverflowError` if none is."""
    return _EPOCH + millis * _MILLISECOND


def write_cursor(cursor: Cursor) -> str:
    """Return the cursor as opaque text, safe in a URL."""
    plain = f"{to_millis(cursor.occurred_at)}.{cursor.entry_id}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def read_cursor(written: str) -> Cursor:
    """Return the cursor that `write_cursor` wrote; raise `BrokenCursor` for anything else."""
    if len(written) > _MAX_CURSOR:
        raise BrokenCursor
    try:
        padded = written.encode("ascii") + b"=" * (-len(written) % 4)
        plain = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        millis, separator, entry_id = plain.partition(".")
        cursor = Cursor(from_millis(int(millis)), entry_id)
    except (binascii.Error, ValueError, OverflowError):
        raise BrokenCursor from None
    if not separator or not entry_id or write_cursor(cursor) != written:
        raise BrokenCursor
    return cursor
