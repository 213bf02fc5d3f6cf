"""Where the time comes from: the one thing a decision must be given, never fetch."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the current time; tests give their own."""

    def now(self) -> datetime:
        """Return the current time, aware and in UTC."""
        ...


def to_milliseconds(moment: datetime) -> datetime:
    """Cut a time to whole milliseconds, in UTC: the resolution MongoDB keeps.

    Every time is cut where it enters, so that none changes by being stored.
    """
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""Between these two a time can be meant. Outside them it is a mistake or an attack: BSON keeps
years 1 to 9999 only, and adding a window to a time, or turning it to UTC, must not leave them."""


def is_sound(moment: datetime) -> bool:
    """Say whether an aware time lies between `EARLIEST` and `LATEST`; never overflows."""
    return EARLIEST <= moment <= LATEST


def sound(moment: datetime | None) -> datetime | None:
    """Return an aware time in UTC and whole milliseconds; None for one that cannot be meant."""
    return to_milliseconds(moment) if moment is not None and is_sound(moment) else None


class SystemClock:
    """The machine's clock, in UTC and whole milliseconds."""

    def now(self) -> datetime:
        """Return the current time, aware and in UTC."""
        return to_milliseconds(datetime.now(UTC))


def event_time(occurred_at: datetime | None, received_at: datetime, *, vouched: bool) -> datetime:
    """Decide which time an event counts at.

    `occurred_at` (the provider's claim) counts where the provider vouches for it and it is not
    after `received_at` (our edge); otherwise `received_at` does, as for an e-mail's own Date.
    Give both in whole milliseconds.
    """
    if vouched and occurred_at is not None and occurred_at <= received_at:
        return occurred_at
    return received_at
