"""Publishing what a request turned into: events and dead letters, each once, in one call."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from shared.events import Event


class EventPublisher(Protocol):
    """Sends events to Kafka; `shared.streams.Publisher` is one."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Return when Kafka has acknowledged all of them, or raise `Unavailable`."""
        ...


def without_doubles(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events with each id once, the first of each, in order."""
    return tuple({event.id: event for event in reversed(list(events))}.values())[::-1]
