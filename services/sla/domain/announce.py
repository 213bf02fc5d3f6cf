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
    pending warnings come out when a timer `woke` us, and always before a breach. A warning told
    at or after the due time says so (`late`).
    """
    if after.started_at is None or after.due_at is None:
        return after, []
    told: list[Announcement] = []
    if after.started_at != before.started_at:
        told.append(Announcement("started", after.started_at, after))
    if after.status is not Status.MET:
        after, warnings = _warn(before, after, now, woken=woken)
        told += warnings
    if _outcome(after) != _outcome(before):
        is_news = after.status is not before.status
        if after.status is Status.MET and after.stopped_at is not None:
            corrects = after.breach_told
            told.append(
                Announcement("met", after.stopped_at, after, is_news, corrects_breach=corrects)
            )
        elif after.status is Status.BREACHED:
            after = replace(after, breach_told=True)
            told.append(Announcement("breached", after.due_at, after, is_news))
    return after, told


def _warn(
    before: Clock, after: Clock, now: datetime, *, woken: bool
) -> tuple[Clock, list[Announcement]]:
    if before.status is Status.BREACHED:
        return after, []
    newly_breached = after.status is Status.BREACHED
    pending = [
        (share, at)
        for share, at in after.warnings
        if share not in after.warned and (newly_breached or (woken and at <= now))
    ]
    if not pending or after.due_at is None:
        return after, []
    warned = replace(after, warned=(*after.warned, *(share for share, _ in pending)))
    late = now >= after.due_at
    return warned, [
        Announcement("warned", at, warned, elapsed_share=share, late=late) for share, at in pending
    ]


def _outcome(clock: Clock) -> tuple[object, ...]:
    """Return what an outcome says: until when it was promised, and for a kept one, when."""
    if clock.status is Status.MET:
        return (Status.MET, clock.started_at, clock.due_at, clock.stopped_at)
    if clock.status is Status.BREACHED:
        return (Status.BREACHED, clock.started_at, clock.due_at)
    return ()
