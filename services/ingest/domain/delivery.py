"""The life of a reply: `waiting` → `sending` → `sent`, `failed` or `unknown`.

At most once, as far as the provider allows: `sending` is written down before the call, so whoever
finds it there without an outcome knows that the message may be out. It is tried again only where
the provider recognises a repeated call. Unknown is not failed: a person must look.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.ingest.domain.outcomes import Later, Outcome, Refused, Sent, Unclear
from services.ingest.domain.text import short

State = Literal["waiting", "sending", "sent", "failed", "unknown"]

GIVE_UP_AFTER = timedelta(hours=24)  # the longest service window; an older answer is no answer
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=10)  # ten doublings from the first; then 140 tries in a day
UNKNOWN = "outcome unknown"
TOO_LATE = "not sent within 24 hours"
WINDOW_CLOSED = "the service window closed before it could be sent"


@dataclass(frozen=True, slots=True)
class Step:
    """What a reply becomes: its state, why, when to look again, and the provider's id of it."""

    state: State
    reason: str | None = None
    next_at: datetime | None = None
    message_id: str | None = None


def give_up(created_at: datetime, window_closes_at: datetime | None, now: datetime) -> str | None:
    """Return why a waiting reply must not be tried any more, or None while it may.

    `window_closes_at` is None where no service window binds the reply.
    """
    if window_closes_at is not None and window_closes_at <= now:
        return WINDOW_CLOSED
    return TOO_LATE if now - created_at >= GIVE_UP_AFTER else None


def after_attempt(
    outcome: Outcome, *, reply_id: str, attempts: int, repeatable: bool, now: datetime
) -> Step:
    """Return what a reply becomes after its `attempts`-th attempt."""
    match outcome:
        case Sent(message_id):
            return Step("sent", message_id=message_id)
        case Refused(reason):
            return Step("failed", short(reason))
        case Later(reason, after):
            return Step("waiting", short(reason), now + pause(reply_id, attempts, after))
        case Unclear(reason) if repeatable:
            return Step("waiting", short(reason), now + pause(reply_id, attempts))
        case Unclear(reason):
            return Step("unknown", short(f"{UNKNOWN}: {reason}"))


def after_crash(*, reply_id: str, attempts: int, repeatable: bool, now: datetime) -> Step:
    """Return what a reply becomes that was found `sending`, its sender gone."""
    lost = Unclear("the process ended while sending")
    return after_attempt(lost, reply_id=reply_id, attempts=attempts, repeatable=repeatable, now=now)


def pause(reply_id: str, attempts: int, at_least: timedelta | None = None) -> timedelta:
    """Return how long to wait: doubling, and spread over half of it so that nobody marches in step.

    The spread follows from the reply's id, so that this stays a function.
    """
    doublings: int = min(max(attempts - 1, 0), 20)
    longest = min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)
    seed = hashlib.blake2b(f"{reply_id}/{attempts}".encode(), digest_size=2).digest()
    share = int.from_bytes(seed, "big") / 0xFFFF
    return max(longest * (0.5 + share / 2), at_least or timedelta())
