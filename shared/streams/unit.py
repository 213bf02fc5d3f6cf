"""One unit of work in one transaction: positions, state, timers, outbox. All of it or nothing."""

import traceback
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from bson.errors import BSONError
from pymongo.errors import DocumentTooLarge, OperationFailure, PyMongoError

from shared.events import Event
from shared.mongo import Database
from shared.mongo.transactions import CommitUnknown, Transactions, WriteRefused
from shared.streams import outbox, positions, state, timers
from shared.streams.crash import crash_point
from shared.streams.effects import (
    Effects,
    Find,
    Incoming,
    Processor,
    Publish,
    Received,
    State,
    TimerDue,
)
from shared.streams.outbox import Parcel
from shared.streams.publisher import outgoing
from shared.streams.sending import Outgoing

T = TypeVar("T")

# what the client cannot write as BSON: integers over 64 bits, half a surrogate pair, years before 1
_UNSTORABLE = (OverflowError, ValueError, TypeError, BSONError, DocumentTooLarge)
# and what the server says of a document that it will never take: BadValue, TypeMismatch,
# DollarPrefixedFieldName, EmptyFieldName, DocumentValidationFailure, BSONObjectTooLarge, and a
# document that an update made too large
_REFUSED = frozenset({2, 14, 52, 56, 121, 10_334, 17_419})
_MOST_REFUSALS = 5  # a guard refuses when another pool's owner was faster; not five times running


class DecisionFailed(Exception):
    """The service's own code could not decide; `reason` is the class of error and where."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Held:
    """A shard that is ours: its epoch, how far it was applied, and how far that is stored.

    `applied` runs ahead of `stored` while batches decide nothing: such a batch may be decided
    again, so its position need not be written at once.
    """

    shard: str
    topic: str
    partition: int
    epoch: int
    applied: int
    stored: int
    ticks: int
    gap_seen_at: int | None = None


@dataclass(slots=True)
class Unit:
    """What to do together: records to decide on, timers to fire, positions to move.

    `held` are the shards concerned, as they were when the unit was made; `offsets` the last
    offsets applied by shard; `ticks` the shards whose timers are in `timer_ids`; `dead` what goes
    to the dead letters.
    """

    held: Mapping[str, Held]
    received: Sequence[Received] = ()
    timer_ids: Sequence[str] = ()
    offsets: Mapping[str, int] = field(default_factory=dict)
    ticks: frozenset[str] = frozenset()
    dead: Sequence[Publish] = ()
    label: str = ""  # prefix of crash points: "" for batches, "tick-" for timers


@dataclass(slots=True)
class Decided:
    """What a unit came to: published next, then forgotten."""

    effects: Effects
    parcels: list[Parcel] = field(default_factory=list)
    fired: list[TimerDue] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class First:
    """A first look at a unit: what it needs, or its effects if it needs nothing."""

    finds: Sequence[Find]
    effects: Effects | None = None

    @property
    def changes_nothing(self) -> bool:
        """Tell whether there is nothing to write: then no transaction is needed either."""
        e = self.effects
        return e is not None and not (e.writes or e.publishes or e.timers)


class Units:
    """Applies units of one processor, each in a transaction under the epochs held."""

    def __init__(
        self,
        processor: Processor,
        database: Database,
        transactions: Transactions,
        encode: Callable[[Event], Outgoing] = outgoing,
    ) -> None:
        self._processor = processor
        self._encode = encode
        self._database = database
        self._transactions = transactions
        self._refused = 0

    def take_refused(self) -> int:
        """Return how often a guard or index refused since this was last asked."""
        refused, self._refused = self._refused, 0
        return refused

    def look(self, unit: Unit, now: datetime) -> First:
        """Ask what a unit needs; decide at once if that is nothing."""
        finds = self._guarded(lambda: list(self._processor.needs(unit.received, State())))
        if unit.timer_ids or unit.dead or finds:
            return First(finds)
        effects = self._guarded(lambda: self._processor.decide(unit.received, State(), now))
        return First([], effects)

    async def apply(self, unit: Unit, now: datetime, first: First | None = None) -> Decided:
        """Decide (unless the first look did) and commit everything.

        Raises `Fenced` when a shard is no longer ours, `DecisionFailed` when the service's code
        fails or its guards refuse for good, `Unavailable` when MongoDB does not take it in time.
        """
        for number in range(_MOST_REFUSALS):
            attempt = _Attempt(self, unit, now, first or First([], Effects()), number > 0)
            try:
                return await self._transactions.run(attempt.work)
            except WriteRefused as refused:
                reason = str(refused)
                self._refused += 1
            except CommitUnknown:
                if await self._has_committed(attempt):
                    return attempt.decided
                raise
        raise DecisionFailed(f"WriteRefused: {reason}")

    async def _has_committed(self, attempt: "_Attempt") -> bool:
        try:
            found = await self._database.find_one(positions.COLLECTION, {"unit": attempt.token})
        except PyMongoError:
            return False
        return found is not None

    async def load(
        self, session: Any, incoming: Sequence[Incoming], first: Sequence[Find]
    ) -> State:
        """Load what is needed, beginning with `first`."""
        if not incoming:
            return State()
        try:
            return await state.load(self._database, session, self._processor, incoming, first)
        except PyMongoError:
            raise
        except Exception as error:
            raise DecisionFailed(describe(error)) from error

    def decide(self, incoming: Sequence[Incoming], loaded: State, now: datetime) -> Effects:
        """Let the service decide."""
        if not incoming:
            return Effects()
        return self._guarded(lambda: self._processor.decide(incoming, loaded, now))

    def encode(self, publishes: Sequence[Publish]) -> list[Outgoing]:
        """Return the records that events become."""
        return self._guarded(lambda: [self._encode(publish.event) for publish in publishes])

    @staticmethod
    def _guarded(call: Callable[[], T]) -> T:
        try:
            return call()
        except Exception as error:
            raise DecisionFailed(describe(error)) from error


class _Attempt:
    """One attempt at a unit: made anew for each try, so that nothing of a failed one remains."""

    def __init__(
        self,
        units: Units,
        unit: Unit,
        now: datetime,
        first: First,
        careful: bool,
    ) -> None:
        self._units, self._unit, self._now = units, unit, now
        self._first, self._careful = first, careful
        self.token = uuid.uuid4().hex
        self.decided = Decided(Effects())

    async def work(self, session: Any) -> Decided:
        """Do everything inside the transaction, the fence first."""
        unit, database = self._unit, self._units._database
        await positions.advance(database, session, list(self._moves()), self.token)
        crash_point(f"{unit.label}position-advanced")
        fired = (
            await timers.load_due(database, session, unit.timer_ids, unit.ticks, self._now)
            if unit.timer_ids
            else []
        )
        incoming: list[Incoming] = [*unit.received, *fired]
        loaded = State()
        effects = self._first.effects
        if effects is None:
            loaded = await self._units.load(session, incoming, self._first.finds)
            effects = self._units.decide(incoming, loaded, self._now)
        await self._write(session, effects, loaded, fired)
        crash_point(f"{unit.label}state-written")
        parcels = self._wrap([*unit.dead, *effects.publishes])
        if parcels:
            documents = [parcel.document() for parcel in parcels]
            await database.raw[outbox.COLLECTION].insert_many(
                documents, ordered=False, session=session
            )
        crash_point(f"{unit.label}outbox-written")
        self.decided = Decided(effects, parcels, fired)
        crash_point(f"{unit.label}before-commit")
        return self.decided

    async def _write(
        self, session: Any, effects: Effects, loaded: State, fired: Sequence[TimerDue]
    ) -> None:
        database, careful = self._units._database, self._careful
        try:
            await state.write(database, session, effects.writes, loaded, careful=careful)
            await timers.write(database, session, fired, effects.timers, careful=careful)
        except _UNSTORABLE as error:  # what no document can hold is the decision's fault, for good
            raise DecisionFailed(describe(error)) from error
        except OperationFailure as error:
            if _REFUSED.isdisjoint(_codes(error)):
                raise
            raise DecisionFailed(describe(error)) from error

    def _moves(self) -> Iterable[positions.Move]:
        for shard in {*self._unit.offsets, *self._unit.ticks}:
            held, to = self._unit.held[shard], self._unit.offsets.get(shard)
            yield positions.Move(shard, held.epoch, held.stored, held.ticks, to)

    def _wrap(self, publishes: Sequence[Publish]) -> list[Parcel]:
        by_shard: dict[str, list[Publish]] = defaultdict(list)
        for publish in publishes:
            by_shard[publish.shard].append(publish)
        parcels: list[Parcel] = []
        for shard, group in by_shard.items():
            records = self._units.encode(group)
            parcels += outbox.parcels(shard, self._at(shard), records, self._now)
        return parcels

    def _at(self, shard: str) -> str:
        """Name the position this unit moves a shard to; grows with every unit of the shard."""
        held = self._unit.held[shard]
        offset = self._unit.offsets.get(shard, held.stored)
        ticks = held.ticks + (shard in self._unit.ticks and shard not in self._unit.offsets)
        return f"{offset + 1:020}-{ticks:012}"


def _codes(error: OperationFailure) -> set[int | None]:
    writes = (error.details or {}).get("writeErrors", ())
    return {error.code, *(write.get("code") for write in writes)}


def describe(error: Exception) -> str:
    """Name the class of error and the function it struck in, never its text."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {frames[-1].name}" if frames else type(error).__name__
