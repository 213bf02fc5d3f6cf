"""A circuit breaker for one channel account: stops calling a provider that does not work.

Closed while calls work. After five failures in a row, or when the provider names a time to come
back, it opens: nothing is called. When its time is over one call may try (half-open): if that
works it closes, if not it opens for twice as long.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

FAILURES = 5  # one bad minute of a provider, not one bad request
FIRST_PAUSE = timedelta(seconds=15)  # longer than one call takes
LONGEST_PAUSE = timedelta(minutes=5)  # how late we may notice that the provider is back
TRIAL = timedelta(seconds=60)  # a trial that nobody reports on holds nobody up for longer


@dataclass(frozen=True, slots=True)
class Breaker:
    """`failures` in a row, how often it `opened` in a row, until when, and the trial's end."""

    failures: int = 0
    opened: int = 0
    open_until: datetime | None = None
    trial_until: datetime | None = None


def state_of(breaker: Breaker, now: datetime) -> Literal["closed", "open", "half-open"]:
    """Return how the breaker stands."""
    if breaker.open_until is None:
        return "closed"
    return "open" if now < breaker.open_until else "half-open"


def ask(breaker: Breaker, now: datetime) -> tuple[Breaker, datetime | None]:
    """Ask to make a call: the breaker afterwards, and None for yes, or when to ask again."""
    state = state_of(breaker, now)
    if state == "closed":
        return breaker, None
    if state == "open":
        return breaker, breaker.open_until
    if breaker.trial_until is not None and now < breaker.trial_until:
        return breaker, breaker.trial_until
    return replace(breaker, trial_until=now + TRIAL), None


def worked(_breaker: Breaker) -> Breaker:
    """Take in that the provider answered, whatever it answered."""
    return Breaker()


def failed(breaker: Breaker, now: datetime, after: timedelta | None = None) -> Breaker:
    """Take in a failure; `after` is how long the provider asked to be left alone."""
    failures = breaker.failures + 1
    asked = now + after if after is not None else None
    if state_of(breaker, now) == "open":  # a call from before it opened: nothing new
        until = max(filter(None, (breaker.open_until, asked)))
        return replace(breaker, open_until=until)
    if failures < FAILURES and breaker.open_until is None and asked is None:
        return replace(breaker, failures=failures)
    pause = min(FIRST_PAUSE * 2 ** min(breaker.opened, 10), LONGEST_PAUSE)
    return Breaker(failures, breaker.opened + 1, asked or now + pause)
