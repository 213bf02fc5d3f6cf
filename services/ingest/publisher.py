"""Publishing what a request turned into: events and dead letters, each once, in one call."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from services.ingest.spool import Spool
from shared.events import Event
from shared.streams.publisher import outgoing


class EventPublisher(Protocol):
    """Sends events to Kafka; `shared.streams.Publisher` is one."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Return when Kafka has acknowledged all of them, or raise `Unavailable`."""
        ...


def without_doubles(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events with each id once, the first of each, in order."""
    return tuple({event.id: event for event in reversed(list(events))}.values())[::-1]


class SafePublisher:
    """An `EventPublisher` that keeps in the spool what Kafka does not acknowledge in time."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    async def publish(self, events: Sequence[Event]) -> None:
        """Return when the events are safe; raise `Unavailable` when neither place takes them."""
        if events:
            await self._spool.send([outgoing(event) for event in events])
