"""SLA events: promises as running clocks, warned about before and judged by event times."""

from typing import Literal

from shared.events.envelope import About, Event, Id, Moment, Record, Word


class ClockData(Record):
    """A promise that runs: `target` (such as `first-response`), from when to when.

    `charter_version` is the content hash of the `charter.yaml` in force when the clock started.
    """

    about: About
    clock_id: Id
    target: Word
    started_at: Moment
    due_at: Moment
    charter_version: str


class ClockStarted(Event):
    """A customer is owed something by a time."""

    type: Literal["throughline.clock.started.v1"] = "throughline.clock.started.v1"
    data: ClockData


class ClockWarnedData(ClockData):
    """How far the clock is: `elapsed_share` of its time is gone (0.75 is three quarters).

    `late` says that we told it only after the due time, after an outage of our own.
    """

    elapsed_share: float
    late: bool = False


class ClockWarned(Event):
    """The promise is about to be broken."""

    type: Literal["throughline.clock.warned.v1"] = "throughline.clock.warned.v1"
    data: ClockWarnedData


class ClockBreached(Event):
    """The promise was broken, at the due time, whenever that was noticed."""

    type: Literal["throughline.clock.breached.v1"] = "throughline.clock.breached.v1"
    data: ClockData


class ClockMetData(ClockData):
    """When the promise was kept; a reply exactly at the due time keeps it.

    `corrects_breach` says that a breach was announced before this earlier reply was heard of.
    """

    stopped_at: Moment
    corrects_breach: bool = False


class ClockMet(Event):
    """The promise was kept."""

    type: Literal["throughline.clock.met.v1"] = "throughline.clock.met.v1"
    data: ClockMetData


SLA_EVENTS = (ClockStarted, ClockWarned, ClockBreached, ClockMet)
