"""Wall times as instants, with the two cases decided where a wall clock is no function of time.

A wall time that is skipped (clocks go forward) is the instant of the change. One that comes twice
(clocks go back) is its first occurrence, so while an hour repeats, a door stays as it was when the
clocks were set back.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)  # zones change on whole seconds


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the UTC instant of a naive wall time in `zone`."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    return _change_between(wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant, wall, zone)


def _change_between(early: datetime, late: datetime, skipped: datetime, zone: ZoneInfo) -> datetime:
    """Bisect to the first instant after the skipped wall times (PEP 495: fold reads both sides)."""
    while late - early > _SECOND:
        middle = early + (late - early) // (2 * _SECOND) * _SECOND
        if middle.astimezone(zone).replace(tzinfo=None) < skipped:
            early = middle
        else:
            late = middle
    return late
