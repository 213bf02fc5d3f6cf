"""Accepting: verify, translate, make durable, publish. All doors come through here."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ParamSpec, TypeVar

from services.ingest.accounts import Door
from services.ingest.adapters.request import RawRequest
from services.ingest.dead_letters import dead_letters
from services.ingest.metrics import Meter
from services.ingest.publisher import EventPublisher, without_doubles
from services.ingest.readers import Reader, read_here
from services.ingest.store import Store, keep, require_first_use
from shared.clock import Clock
from shared.events import Event
from shared.ids import KeyedIds

P = ParamSpec("P")
T = TypeVar("T")

_LARGE = 256 * 1024  # bytes; below, a thread costs more than the hash


class Intake:
    """What every door does with what it is given.

    Both methods return only when everything is safe (on Kafka, or in the spool), and raise
    `Unavailable` when that is not known: then the sender must try again, and gets the same ids.
    """

    def __init__(
        self,
        publisher: EventPublisher,
        store: Store,
        clock: Clock,
        ids: KeyedIds,
        meter: Meter,
        reader: Reader = read_here,
    ) -> None:
        self._read = reader
        self._publisher, self._store = publisher, store
        self.clock, self.ids, self.meter = clock, ids, meter

    async def accept(self, door: Door, request: RawRequest) -> None:
        """Accept a request or mail; raise `SignatureRefused` if it is not authentic."""
        received_at = self.clock.now()
        proof = await _done(request, _proof, door, request, received_at)
        if proof is not None:
            provider = door.adapter.provider
            await require_first_use(self._store, provider, proof, request.body, received_at)
        parsed = await self._read(door.adapter, request, door.account, received_at, self.ids)
        lost: tuple[Event, ...] = ()
        if parsed.broken:
            given = door.adapter, door.account, request, parsed.broken, received_at
            lost = await _done(request, dead_letters, *given)
        await keep(self._store, parsed.blobs)
        await self.publish(door.adapter.provider, [*parsed.events, *lost])
        account = door.account
        if lost:
            self.meter.count(
                "ingest_dead_letters_total",
                len(lost),
                provider=account.provider,
                account=account.name,
            )
        for part in parsed.ignored:
            self.meter.count("ingest_ignored_parts_total", provider=account.provider, part=part)

    async def publish(self, provider: str, events: Sequence[Event]) -> None:
        """Publish events, each id once."""
        started = self.clock.now()
        unique = without_doubles(events)
        await self._publisher.publish(unique)
        seconds = (self.clock.now() - started).total_seconds()
        self.meter.observe("ingest_accept_seconds", seconds, provider=provider)
        self.meter.observe("ingest_batch_events", len(unique), provider=provider)
        for event in unique:
            self.meter.count("ingest_events_total", provider=provider, type=event.type)


async def _done(request: RawRequest, work: Callable[P, T], *given: P.args, **more: P.kwargs) -> T:
    """Have work on a request done, of a large one in a thread.

    Hashing and encoding it, and reading a form for its proof, must not hold up the others.
    """
    if len(request.body) < _LARGE:
        return work(*given, **more)
    return await asyncio.to_thread(work, *given, **more)


def _proof(door: Door, request: RawRequest, received_at: datetime) -> str | None:
    """Return what may come with this body only, None if nothing; `SignatureRefused` if forged."""
    door.adapter.verify(request, door.account, received_at)
    return door.adapter.once(request)
