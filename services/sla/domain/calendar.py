"""Business time: when a promise's time runs, counted exactly across zones, holidays and DST.

Opening hours are turned into pairs of UTC instants first; everything else is subtraction of
instants and bisection.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from services.sla.domain.wall_time import instant_of
from shared.errors import ThroughlineError

SEARCH_DAYS = (
    400  # a leap year and a month: yearly closings are seen, a typing error is not endless
)
_DAY = timedelta(days=1)
_NOTHING = timedelta(0)
_A_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
_MAX_TABLES = 64  # months: five years of replay; a table of 433 days is about 100 kB


class CalendarNeverOpens(ThroughlineError):
    """A calendar has not enough open time within the days we look ahead."""


@dataclass(frozen=True, slots=True)
class Window:
    """An opening of one day: from and until, counted from that day's midnight on the wall clock.

    0 ≤ opens < closes; beyond 24 hours `closes` is on the next day.
    """

    opens: timedelta
    closes: timedelta


@dataclass(frozen=True, slots=True)
class _Table:
    """Open times as sorted, disjoint UTC pairs; `before[i]` is the open time before pair `i`."""

    opens: list[datetime]
    closes: list[datetime]
    before: list[timedelta]

    def open_time_until(self, moment: datetime) -> timedelta:
        place = bisect_right(self.opens, moment) - 1
        if place < 0:
            return _NOTHING
        return self.before[place] + min(moment, self.closes[place]) - self.opens[place]

    def moment_of(self, open_time: timedelta) -> datetime:
        place = bisect_left(self.before, open_time) - 1
        return self.opens[place] + (open_time - self.before[place])


class Calendar:
    """Opening hours in one zone: a week, and dates that differ from it.

    `week` has the windows of Monday to Sunday; an exception replaces all windows that *open* on
    its date (an empty one closes the day), not one that came over from the day before.
    """

    def __init__(
        self,
        zone: ZoneInfo,
        week: tuple[tuple[Window, ...], ...],
        exceptions: Mapping[date, tuple[Window, ...]] | None = None,
    ) -> None:
        self._zone = zone
        self._week = week
        self._exceptions = dict(exceptions or {})
        self._tables: dict[tuple[int, int], _Table] = {}

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """Return the first instant by which `duration` (> 0) of open time has passed.

        `start` is aware; the answer is in UTC. Raises `CalendarNeverOpens` if 400 days have less.
        """
        table = self._table(start)
        wanted = table.open_time_until(start) + duration
        if wanted > table.open_time_until(start + SEARCH_DAYS * _DAY):
            raise CalendarNeverOpens(
                f"A calendar in {self._zone.key} opens too little within {SEARCH_DAYS} days.",
                "Give it more opening hours, or the promise another calendar.",
            )
        return table.moment_of(wanted)

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """Return the open time from `start` until `end`, both aware; nothing if `end` is before."""
        total = _NOTHING
        while start < end:
            table = self._table(start)
            stop = min(end, start + SEARCH_DAYS * _DAY)
            total += table.open_time_until(stop) - table.open_time_until(start)
            start = stop
        return total

    def least_open_time(self) -> timedelta:
        """Return open time that any 400 days surely have, whatever exceptions fall into them."""
        plain_week = Calendar(ZoneInfo("UTC"), self._week).elapsed(_A_MONDAY, _A_MONDAY + 7 * _DAY)
        weeks = SEARCH_DAYS // 7 - 4  # a month off for windows that DST changes skip
        closed_days = _most_within(sorted(self._exceptions), SEARCH_DAYS)
        longest_day = max(_length(windows) for windows in self._week)
        return max(weeks * plain_week - closed_days * longest_day, _NOTHING)

    def _table(self, start: datetime) -> _Table:
        start = start.astimezone(UTC)
        month = (start.year, start.month)
        table = self._tables.get(month)
        if table is None:
            if len(self._tables) >= _MAX_TABLES:
                self._tables.clear()
            table = self._tables[month] = self._tabulate(date(*month, 1))
        return table

    def _tabulate(self, month: date) -> _Table:
        opens: list[datetime] = []
        closes: list[datetime] = []
        for opening, closing in sorted(self._pairs(month)):
            if closes and opening <= closes[-1]:
                closes[-1] = max(closes[-1], closing)
            elif opening < closing:
                opens.append(opening)
                closes.append(closing)
        lengths = (closing - opening for opening, closing in zip(opens, closes, strict=True))
        before = list(accumulate(lengths, initial=_NOTHING))
        return _Table(opens, closes, before)

    def _pairs(self, month: date) -> Iterator[tuple[datetime, datetime]]:
        # 3 days before: a window that reaches in, and the zone; 31 days more: any start within it
        for offset in range(-3, SEARCH_DAYS + 33):
            day = month + offset * _DAY
            for window in self._exceptions.get(day, self._week[day.weekday()]):
                midnight = datetime.combine(day, time())
                yield (
                    instant_of(midnight + window.opens, self._zone),
                    instant_of(midnight + window.closes, self._zone),
                )


def _length(windows: tuple[Window, ...]) -> timedelta:
    return sum((window.closes - window.opens for window in windows), _NOTHING)


def _most_within(days: list[date], span: int) -> int:
    return max((bisect_right(days, day + span * _DAY) - i for i, day in enumerate(days)), default=0)
