"""One unit of work in one transaction: positions, state, timers, outbox. All of it or nothing."""

import traceback
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from pymongo import DeleteMany, InsertOne
from pymongo.errors import PyMongoError

from shared.mongo import Database
from shared.mongo.transactions import CommitUnknown, Transactions, WriteRefused
from shared.streams import outbox, positions, state, timers
from shared.streams.crash import crash_point
from shared.streams.effects import Effects, Processor, Publish, Received, State, TimerDue
from shared.streams.outbox import Parcel
from shared.streams.publisher import outgoing

T = TypeVar("T")

_MOST_REFUSALS = 5  # a guard refuses when another pool's owner was faster; not five times running


class DecisionFailed(Exception):
    """The service's own code could not decide; `reason` is the class of error and where."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Unit:
    """What to do together: records to decide on, timers to fire, positions to move.

    `offsets` are the last offsets applied by shard; `ticks` the shards whose timers are in
    `timer_ids`; `dead` what goes to the dead letters; `sent` the parcels Kafka has by now.
    """

    received: Sequence[Received] = ()
    timer_ids: Sequence[str] = ()
    offsets: Mapping[str, int] = field(default_factory=dict)
    ticks: frozenset[str] = frozenset()
    dead: Sequence[Publish] = ()
    sent: Sequence[Parcel] = ()
    label: str = ""  # prefix of crash points: "" for batches, "tick-" for timers


@dataclass(slots=True)
class Decided:
    """What a unit came to: published next, then forgotten."""

    effects: Effects
    parcels: list[Parcel] = field(default_factory=list)
    fired: list[TimerDue] = field(default_factory=list)


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


class Units:
    """Applies units of one processor, each in a transaction under the epochs held."""

    def __init__(
        self, processor: Processor, database: Database, transactions: Transactions
    ) -> None:
        self._processor = processor
        self._database = database
        self._transactions = transactions

    def decide_without_state(self, unit: Unit, now: datetime) -> Effects | None:
        """Return the effects of a unit that needs no documents, or None if it needs some."""
        empty = State()
        if unit.timer_ids or self._guarded(
            lambda: list(self._processor.needs(unit.received, empty))
        ):
            return None
        return self._guarded(lambda: self._processor.decide(unit.received, empty, now))

    async def apply(
        self, unit: Unit, held: Mapping[str, Held], now: datetime, effects: Effects | None = None
    ) -> Decided:
        """Decide (unless `effects` are given) and commit everything.

        Raises `Fenced` when a shard is no longer ours, `DecisionFailed` when the service's code
        fails or its guards refuse for good, `Unavailable` when MongoDB does not take it in time.
        """
        for _ in range(_MOST_REFUSALS):
            attempt = _Attempt(self, unit, held, now, effects)
            try:
                return await self._transactions.run(attempt.work)
            except WriteRefused as refused:
                reason = str(refused)
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

    async def decide(
        self, unit: Unit, session: Any, incoming: Sequence[Any], now: datetime
    ) -> Effects:
        """Load what is needed and let the service decide."""
        try:
            loaded = await state.load(self._database, session, self._processor.needs, incoming)
        except PyMongoError:
            raise
        except Exception as error:
            raise DecisionFailed(_describe(error)) from error
        return self._guarded(lambda: self._processor.decide(incoming, loaded, now))

    @staticmethod
    def _guarded(call: Callable[[], T]) -> T:
        try:
            return call()
        except Exception as error:
            raise DecisionFailed(_describe(error)) from error


class _Attempt:
    """One attempt at a unit: made anew for each try, so that nothing of a failed one remains."""

    def __init__(
        self,
        units: Units,
        unit: Unit,
        held: Mapping[str, Held],
        now: datetime,
        effects: Effects | None,
    ) -> None:
        self._units, self._unit, self._held, self._now = units, unit, held, now
        self._effects = effects
        self.token = uuid.uuid4().hex
        self.decided = Decided(Effects())

    async def work(self, session: Any) -> Decided:
        """Do everything inside the transaction, the fence first."""
        unit, database = self._unit, self._units._database
        await positions.advance(
            database,
            session,
            {shard: self._held[shard].epoch for shard in {*unit.offsets, *unit.ticks}},
            unit.offsets,
            unit.ticks,
            self.token,
        )
        crash_point(f"{unit.label}position-advanced")
        fired = (
            await timers.load_due(database, session, unit.timer_ids, self._now)
            if unit.timer_ids
            else []
        )
        effects = self._effects
        if effects is None:
            incoming = [*unit.received, *fired]
            effects = (
                await self._units.decide(unit, session, incoming, self._now)
                if incoming
                else Effects()
            )
        await state.write(database, session, effects.writes)
        await timers.write(database, session, fired, effects.timers)
        crash_point(f"{unit.label}state-written")
        parcels = self._wrap([*unit.dead, *effects.publishes])
        await self._exchange(session, parcels)
        crash_point(f"{unit.label}outbox-written")
        self.decided = Decided(effects, parcels, fired)
        crash_point(f"{unit.label}before-commit")
        return self.decided

    def _wrap(self, publishes: Sequence[Publish]) -> list[Parcel]:
        by_shard: dict[str, list[Any]] = defaultdict(list)
        for publish in publishes:
            by_shard[publish.shard].append(
                self._units._guarded(lambda p=publish: outgoing(p.event))
            )
        return [
            parcel
            for shard, records in by_shard.items()
            for parcel in outbox.parcels(shard, self._at(shard), records, self._now)
        ]

    def _at(self, shard: str) -> str:
        """Name the position this unit moves a shard to; grows with every unit of the shard."""
        held = self._held[shard]
        offset = self._unit.offsets.get(shard, held.stored)
        ticks = held.ticks + (shard in self._unit.ticks and shard not in self._unit.offsets)
        return f"{offset + 1:020}-{ticks:012}"

    async def _exchange(self, session: Any, parcels: Sequence[Parcel]) -> None:
        """Put the new parcels in and take the sent ones out, in one command."""
        operations: list[Any] = [InsertOne(parcel.document()) for parcel in parcels]
        if self._unit.sent:
            ids = [parcel.parcel_id for parcel in self._unit.sent]
            operations.append(DeleteMany({"_id": {"$in": ids}}))
        if operations:
            await self._units._database.raw[outbox.COLLECTION].bulk_write(
                operations, ordered=False, session=session
            )


def _describe(error: Exception) -> str:
    """Name the class of error and the function it struck in, never its text."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {frames[-1].name}" if frames else type(error).__name__
