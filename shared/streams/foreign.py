"""Records that others wrote: anything may be in them, and nothing in them is our fault.

A processor of such a topic gives a `decode` of its own (see `Processor`). What that refuses
becomes a dead letter with the reason, in the same transaction as everything else, and does not
count towards the limit on dead letters: strangers' garbage must not stop us.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.clock import to_milliseconds
from shared.events import Event

_APPENDED = 1  # Kafka's timestamp type LogAppendTime: the broker's clock, not the writer's
# before Throughline was: librdkafka's in-process broker says 1.234 s after the epoch of everything
_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)


class Refused(Exception):
    """A foreign record that is not taken; `reason` is ours and never holds what it held."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ForeignRecord:
    """A record as it lies on Kafka: any bytes, and headers whose values may be null.

    `kept_at` is when Kafka took it, so that reading it again gives the same; `value` is None in a
    record without one.
    """

    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    kept_at: datetime


Decode = Callable[[ForeignRecord], Sequence[Event]]
"""From a foreign record to the events it holds, all of them or `Refused`."""


def foreign_record(record: Any, now: datetime) -> ForeignRecord:
    """Return a record of the Kafka client as a foreign one.

    Where the topic keeps the writers' own times (CreateTime), one in the future counts as `now`.
    """
    return ForeignRecord(record.value, tuple(record.headers), _kept_at(record, now))


def _kept_at(record: Any, now: datetime) -> datetime:
    try:
        claimed = to_milliseconds(datetime.fromtimestamp(record.timestamp / 1000, UTC))
    except (OverflowError, ValueError, OSError):
        return now
    if claimed < _EARLIEST or (claimed > now and record.timestamp_type != _APPENDED):
        return now
    return claimed
