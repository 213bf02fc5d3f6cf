"""Durations as people write them in policy files: `90s`, `15m`, `4h`, `2d`, `1h30m`."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_WRITTEN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_MAX_LENGTH = 32
# A promise or a lease beyond a leap year is a typing error, and calendars look no further.
LONGEST = timedelta(days=366)


def parse_duration(written: str) -> timedelta:
    """Return the duration that was written, in whole milliseconds.

    Units are `d`, `h`, `m`, `s` and `ms`, the larger ones first; a `d` is 24 hours. Raises
    `ValueError` for anything else, and for more than 366 days.
    """
    match = _WRITTEN.fullmatch(written) if 0 < len(written) <= _MAX_LENGTH else None
    if match is None:
        raise ValueError("not a duration; write it with units, as 90s, 15m, 4h, 2d or 1h30m")
    milliseconds = sum(
        int(number) * unit
        for number, unit in zip(match.groups(), _UNITS.values(), strict=True)
        if number
    )
    if milliseconds > LONGEST / timedelta(milliseconds=1):
        raise ValueError("longer than 366 days; write a shorter duration")
    return timedelta(milliseconds=milliseconds)


def format_duration(duration: timedelta) -> str:
    """Return the shortest writing that `parse_duration` reads back, such as `1h30m`."""
    rest = duration // timedelta(milliseconds=1)
    parts = []
    for unit, size in _UNITS.items():
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def _validate(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError("a duration needs a unit; write it as 90s, 15m, 4h, 2d or 1h30m")


Duration = Annotated[
    timedelta, BeforeValidator(_validate), PlainSerializer(format_duration, when_used="json")
]
"""A field of a policy model: written as `15m`, kept as a `timedelta` (0 or more)."""
