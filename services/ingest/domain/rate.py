"""How much may come in over time: a bucket of tokens that flows full again.

In any stretch of time no more passes than what the full bucket holds and what flows in meanwhile.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What may pass: `per_minute` tokens at most at once, and as many flow in within a minute.

    `tokens` were there at the time `at`.
    """

    per_minute: int
    tokens: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: so long until there is enough."""

    time: timedelta


def full_bucket(per_minute: int, now: datetime) -> Bucket:
    """Return a bucket from which nothing has been taken."""
    return Bucket(per_minute, float(per_minute), now)


def take(bucket: Bucket, amount: int, now: datetime) -> Bucket | Wait:
    """Return the bucket after `amount` tokens were taken, or how long it takes until there are.

    An amount above `per_minute` is never there: ask beforehand. A clock that runs backwards adds
    nothing.
    """
    filled = _filled(bucket, now)
    if amount <= filled.tokens:
        return replace(filled, tokens=filled.tokens - amount)
    return Wait((amount - filled.tokens) / filled.per_minute * _MINUTE)


def _filled(bucket: Bucket, now: datetime) -> Bucket:
    passed = max(timedelta(0), now - bucket.at)
    tokens = min(float(bucket.per_minute), bucket.tokens + passed / _MINUTE * bucket.per_minute)
    return replace(bucket, tokens=tokens, at=max(now, bucket.at))
