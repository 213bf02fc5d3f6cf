"""What a change of a clock makes public: compared with what was public before, in order."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from services.sla.domain.clock import Clock, Status

Kind = Literal["started", "warned", "breached", "met"]


@dataclass(frozen=True, slots=True)
class Announcement:
    """One thing to tell: its kind, the instant it counts at, and the clock as it then stood.

    `is_news` tells a new outcome from one of the same kind with other times. `elapsed_share` and
    `late` belong to warnings, `corrects_breach` to kept promises.
    """

    kind: Kind
    at: datetime
    clock: Clock
    is_news: bool = True
    elapsed_share: float = 0.0
    late: bool = False
    corrects_breach: bool = False


def announce(
    before: Clock, after: Clock, now: datetime, *, woken: bool
) -> tuple[Clock, list[Announcement]]:
    """Return the clock that remembers what was told, and what to tell because of the change.

    `before` is what everything told so far came from. A start, then warnings, then an outcome;
    pending warnings come out when a timer has `woken` us, and always before a breach. A warning
    told at or after the due time says so (`late`).
    """
    if after.started_at is None or after.due_at is None:
        return after, []
    started = []
    if after.started_at != before.started_at:
        started.append(Announcement("started", after.started_at, after))
    pending = _pending_warnings(before, after, now if woken else None)
    late = now >= after.due_at
    breach_told = after.breach_told or after.status is Status.BREACHED
    if pending or breach_told != after.breach_told:
        warned = (*after.warned, *(share for share, _ in pending))
        after = replace(after, warned=warned, breach_told=breach_told)
    warnings = [
        Announcement("warned", at, after, elapsed_share=share, late=late) for share, at in pending
    ]
    return after, [*started, *warnings, *_outcome(before, after)]


def _pending_warnings(
    before: Clock, after: Clock, until: datetime | None
) -> list[tuple[float, datetime]]:
    if after.status is Status.MET or before.status is Status.BREACHED:
        return []
    breached = after.status is Status.BREACHED
    return [
        (share, at)
        for share, at in after.warnings
        if share not in after.warned and (breached or (until is not None and at <= until))
    ]


def _outcome(before: Clock, after: Clock) -> list[Announcement]:
    says, counts_at = _verdict(after)
    if counts_at is None or says == _verdict(before)[0]:
        return []
    is_news = after.status is not before.status
    if after.status is Status.BREACHED:
        return [Announcement("breached", counts_at, after, is_news)]
    return [Announcement("met", counts_at, after, is_news, corrects_breach=after.breach_told)]


def _verdict(clock: Clock) -> tuple[tuple[object, ...], datetime | None]:
    """Return what the outcome says, to see whether it changed, and when it counts at."""
    if clock.status is Status.MET:
        return (Status.MET, clock.started_at, clock.due_at, clock.stopped_at), clock.stopped_at
    if clock.status is Status.BREACHED:
        return (Status.BREACHED, clock.started_at, clock.due_at), clock.due_at
    return (), None
