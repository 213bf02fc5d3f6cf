"""When somebody is there to chat: weekly hours in one time zone, as channels.yaml writes them.

`mon-fri 08:00-16:00, sat 09:00-12:00`; several times a day are written as several entries. Holidays
are the charter's business, not the chat's: what routing knows about presence overrules the hours.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ENTRY = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? (\d\d):(\d\d)-(\d\d):(\d\d)")
_DAY_MINUTES = 24 * 60


class BadHours(ValueError):
    """The hours cannot be read; the message says which part."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Weekly windows: day of the week (0 is Monday), first minute, minute after the last."""

    windows: tuple[tuple[int, int, int], ...]
    zone: ZoneInfo

    def is_open(self, now: datetime) -> bool:
        """Say whether `now` (aware) is within the hours."""
        return any(start <= now < end for start, end in self._around(now))

    def next_opening(self, now: datetime) -> datetime:
        """Return when the hours begin next, in UTC; later than `now`."""
        return min(start for start, _ in self._around(now) if start > now)

    def _around(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        today = now.astimezone(self.zone).date()
        for ahead in range(-1, 9):
            day = today + timedelta(days=ahead)
            for weekday, start, end in self.windows:
                if day.weekday() == weekday:
                    yield self._moment(day, start), self._moment(day, end)

    def _moment(self, day: date, minute: int) -> datetime:
        days, minutes = divmod(minute, _DAY_MINUTES)
        wall = time(minutes // 60, minutes % 60)
        local = datetime.combine(day + timedelta(days=days), wall, self.zone)
        return local.astimezone(UTC)


def read_hours(written: str, zone: str = "UTC") -> Hours:
    """Return the hours; raise `BadHours`."""
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadHours(f"{zone!r} is not a time zone such as Europe/Ljubljana") from None
    windows = [window for part in written.lower().split(",") for window in _windows(part.strip())]
    return Hours(tuple(sorted(windows)), place)


def _windows(part: str) -> Iterator[tuple[int, int, int]]:
    found = _ENTRY.fullmatch(part)
    if found is None:
        raise BadHours(f"{part!r} is not written like `mon-fri 08:00-16:00`")
    first, last, *clock = found.groups()
    if first not in DAYS or (last or first) not in DAYS:
        raise BadHours(f"{part!r} has a day that is none of {', '.join(DAYS)}")
    start, end = (int(hour) * 60 + int(minute) for hour, minute in (clock[:2], clock[2:]))
    if not start < end <= _DAY_MINUTES or max(int(clock[1]), int(clock[3])) > 59:
        raise BadHours(f"{part!r} does not end after it begins, by 24:00")
    here, stop = DAYS.index(first), DAYS.index(last or first)
    while True:
        yield here, start, end
        if here == stop:
            return
        here = (here + 1) % 7
