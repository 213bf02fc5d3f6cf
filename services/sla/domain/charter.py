"""The service charter: what is promised on which channel, and in whose opening hours.

The models are the form of `charter.yaml`; `promises.py` makes them ready to start clocks with.
"""

import re
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, Self, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from services.sla.domain.calendar import SEARCH_DAYS, Calendar, Window
from shared.durations import Duration, format_duration
from shared.policy import KeyProblems, PolicyModel
from shared.policy_yaml import KeyPath

Day = Literal[
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "every-day"
]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_DAY = timedelta(days=1)


def parse_hours(written: str) -> Window:
    """Return the window that `08:00-12:00` means; an end not after its start is the next day's."""
    match = _HOURS.fullmatch(written)
    if match is None or (match[3] == "24" and match[4] != "00"):
        raise ValueError("not opening hours; write them as 08:00-12:00, 22:00-06:00 or 00:00-24:00")
    hour, minute, end_hour, end_minute = (int(part) for part in match.groups())
    opens = timedelta(hours=hour, minutes=minute)
    closes = timedelta(hours=end_hour, minutes=end_minute)
    return Window(opens, closes if closes > opens else closes + _DAY)


def _checked_hours(written: tuple[str, ...]) -> tuple[str, ...]:
    windows = sorted((parse_hours(hours) for hours in written), key=lambda window: window.opens)
    for earlier, later in pairwise(windows):
        if later.opens < earlier.closes:
            raise ValueError("hours of one day overlap; join them or move one")
    return written


def _checked_zone(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError("not a time zone; write one of the tz database, as Europe/Ljubljana")
    return zone


def _checked_shares(shares: tuple[float, ...]) -> tuple[float, ...]:
    if any(later <= earlier for earlier, later in pairwise(shares)):
        raise ValueError("shares do not rise; write each once, the smallest first")
    return shares


Hours = Annotated[tuple[str, ...], Field(max_length=48), AfterValidator(_checked_hours)]


class CalendarHours(PolicyModel):
    """Opening hours in one zone; a weekday that is not named is closed.

    An exception replaces the hours that open on its date; an empty list is a holiday.
    """

    zone: Annotated[str, AfterValidator(_checked_zone)]
    hours: dict[Day, Hours]
    exceptions: dict[date, Hours] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "every-day" in self.hours and len(self.hours) > 1:
            raise KeyProblems((("hours", "every-day"), "stands beside weekdays; write one of both"))
        return self

    @cached_property
    def calendar(self) -> Calendar:
        """The calendar that keeps these hours."""
        every_day = self.hours.get("every-day", ())
        weekdays = get_args(Day)[:7]
        week = tuple(_windows(self.hours.get(day, every_day)) for day in weekdays)
        exceptions = {day: _windows(hours) for day, hours in self.exceptions.items()}
        return Calendar(ZoneInfo(self.zone), week, exceptions)


class Target(PolicyModel):
    """By when: `within` so much open time of `calendar`; warned at these shares of it."""

    within: Annotated[Duration, Field(ge=timedelta(seconds=1))]
    calendar: Name
    warn_at: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(max_length=10),
        AfterValidator(_checked_shares),
    ] = (0.75,)


class ChannelPromise(PolicyModel):
    """What is promised on a channel, or on one of its channel accounts."""

    channel: Word
    channel_account: Name | None = None
    first_response: Target


class CharterFile(PolicyModel):
    """The whole of `charter.yaml`."""

    calendars: dict[Name, CalendarHours]
    promises: Annotated[tuple[ChannelPromise, ...], Field(min_length=1, max_length=1_000)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [*self._repeated(), *self._unkeepable()]
        if problems:
            raise KeyProblems(*problems)
        return self

    def _repeated(self) -> list[tuple[KeyPath, str]]:
        keys = [(promise.channel, promise.channel_account) for promise in self.promises]
        return [
            (("promises", place), "promises the same channel a second time; remove one")
            for place, key in enumerate(keys)
            if key in keys[:place]
        ]

    def _unkeepable(self) -> list[tuple[KeyPath, str]]:
        problems: list[tuple[KeyPath, str]] = []
        least = {name: hours.calendar.least_open_time() for name, hours in self.calendars.items()}
        for place, promise in enumerate(self.promises):
            target = promise.first_response
            path = ("promises", place, "first_response", "calendar")
            if target.calendar not in least:
                known = ", ".join(sorted(least)) or "none"
                problems.append((path, f"is no calendar of this charter; write one of: {known}"))
            elif least[target.calendar] < target.within:
                problems.append((path, _too_little(least[target.calendar])))
        return problems


def _windows(hours: tuple[str, ...]) -> tuple[Window, ...]:
    return tuple(parse_hours(written) for written in hours)


def _too_little(least: timedelta) -> str:
    if not least:
        return f"never opens for sure within {SEARCH_DAYS} days; give that calendar opening hours"
    return (
        f"surely opens only {format_duration(least)} within {SEARCH_DAYS} days, less than the "
        "promise takes; promise less or open more"
    )
