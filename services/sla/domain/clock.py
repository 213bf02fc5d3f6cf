"""The first-response clock of a conversation, judged by event times alone.

The customer's earliest message starts it; a person's earliest answer at or after that stops it.
It is met if that answer is not after the due time (a tie is met), else breached. Both "earliest"
are minima over everything heard, so the order of hearing, duplicates and late news change nothing:
news that belongs earlier moves the start or the stop, even of a clock that was decided already,
and what was announced wrongly is announced anew. The latest announcement holds.

`look` is what a timer does: it may bring out warnings and a breach, and firing twice changes
nothing. One clock runs per conversation; next-response clocks and new cases on the same
conversation come later.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.sla.domain.promises import Promise

MAX_EARLIER_ANSWERS = 64
"""How many answers before the customer's first message are remembered, the latest of them.

They matter only if an even earlier message of the customer is heard late; 64 messages from agents
to somebody who never wrote is beyond any such delay.
"""


class Status(StrEnum):
    """How a clock stands; `WAITING` is one that nobody has started, and no promise yet."""

    WAITING = "waiting"
    RUNNING = "running"
    MET = "met"
    BREACHED = "breached"


@dataclass(frozen=True, slots=True)
class Clock:
    """A conversation's promise, and all that was heard about it.

    `warnings` are the shares of the time to warn at with their instants, `warned` the shares that
    were told. `stopped_at` is the earliest answer since the start; `earlier_answers` are those
    before it, kept because the start may move. `breach_told` never goes back.
    """

    clock_id: str
    conversation_id: str
    channel: str
    target: str
    status: Status = Status.WAITING
    contact_points: tuple[str, ...] = ()
    started_at: datetime | None = None
    due_at: datetime | None = None
    warnings: tuple[tuple[float, datetime], ...] = ()
    warned: tuple[float, ...] = ()
    stopped_at: datetime | None = None
    earlier_answers: tuple[datetime, ...] = ()
    breach_told: bool = False
    charter_version: str = ""
    case_id: str | None = None
    case_reference: str | None = None


@dataclass(frozen=True, slots=True)
class CustomerAsked:
    """The customer wrote, called or filled in a form, and is owed a person's answer."""

    at: datetime
    contact_points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PersonAnswered:
    """A person answered the customer."""

    at: datetime


@dataclass(frozen=True, slots=True)
class CaseNamed:
    """The conversation opened a case."""

    case_id: str
    case_reference: str | None


Fact = CustomerAsked | PersonAnswered | CaseNamed


def hear(clock: Clock, fact: Fact, promise: Promise | None) -> Clock:
    """Take in one fact; `promise` is the one in force, None where nothing is promised."""
    if isinstance(fact, PersonAnswered):
        return _hear_answer(clock, fact.at)
    if isinstance(fact, CaseNamed):
        return _name_case(clock, fact)
    return clock if promise is None else _hear_customer(clock, fact, promise)


def _hear_customer(clock: Clock, fact: CustomerAsked, promise: Promise) -> Clock:
    """Start the clock, or move its start earlier."""
    at = fact.at
    if clock.started_at is not None and at >= clock.started_at:
        return clock
    answers = clock.earlier_answers
    if clock.stopped_at is not None:
        answers = (*answers, clock.stopped_at)
    due_at = promise.due_at(at)
    stopped_at = min((answer for answer in answers if answer >= at), default=None)
    return replace(
        clock,
        status=_judge(clock.status, due_at, stopped_at),
        contact_points=fact.contact_points,
        started_at=at,
        due_at=due_at,
        warnings=promise.warnings(at),
        stopped_at=stopped_at,
        earlier_answers=tuple(answer for answer in answers if answer < at),
        charter_version=promise.charter_version,
    )


def _hear_answer(clock: Clock, at: datetime) -> Clock:
    """Stop the clock, or move its stop earlier."""
    if clock.started_at is None or clock.due_at is None or at < clock.started_at:
        answers = sorted({*clock.earlier_answers, at})[-MAX_EARLIER_ANSWERS:]
        return replace(clock, earlier_answers=tuple(answers))
    if clock.stopped_at is not None and at >= clock.stopped_at:
        return clock
    return replace(clock, status=_judge(clock.status, clock.due_at, at), stopped_at=at)


def _name_case(clock: Clock, fact: CaseNamed) -> Clock:
    """Attach the case, so that warnings name it; the first one stays."""
    if clock.case_id is not None:
        return clock
    return replace(clock, case_id=fact.case_id, case_reference=fact.case_reference)


def look(clock: Clock, now: datetime) -> Clock:
    """Breach a clock that still runs at its due time."""
    if clock.status is Status.RUNNING and clock.due_at is not None and now >= clock.due_at:
        return replace(clock, status=Status.BREACHED)
    return clock


def next_look(clock: Clock) -> tuple[str, datetime] | None:
    """Return when a timer must look again, and whether for a warning or for the due time."""
    if clock.status is not Status.RUNNING or clock.due_at is None:
        return None
    for share, at in clock.warnings:
        if share not in clock.warned:
            return "clock-warning", at
    return "clock-due", clock.due_at


def _judge(status: Status, due_at: datetime, stopped_at: datetime | None) -> Status:
    """Decide from event times; without an answer, a breach found by looking stays one."""
    if stopped_at is not None:
        return Status.MET if stopped_at <= due_at else Status.BREACHED
    return Status.RUNNING if status is Status.WAITING else status
