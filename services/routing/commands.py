"""Commands from the API: published to the matcher, then waited for until their outcome is known.

The matcher owns the boards, so the API changes nothing itself: what it asks goes through
`routing-commands`, and the outcome comes back as a document of the same transaction.
"""

import asyncio
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from services.routing.store import OUTCOMES
from shared.events import Event
from shared.ids import derived_id
from shared.streams import Document

FIRST_PAUSE = 0.02  # seconds: a command is decided within two batches, 10 to 50 ms when idle
LONGEST_PAUSE = 0.2  # ten reads for a command that takes a second
PATIENCE = 5.0  # seconds: above a batch behind another; below the time-outs of desktops
_GROWTH = 1.5


class Publishes(Protocol):
    """Publishes events; raises `Unavailable` when Kafka did not acknowledge in time."""

    async def publish(self, events: Iterable[Event]) -> None:
        """Return when all are acknowledged."""
        ...


class Reads(Protocol):
    """Reads documents that a majority has."""

    async def find_one(self, collection: str, where: Any) -> Document | None:
        """Return one document that matches, or None."""
        ...

    async def find(
        self, collection: str, where: Any, sort: Any = (), limit: int = 0
    ) -> list[Document]:
        """Return the documents that match."""
        ...

    async def count(self, collection: str, where: Any) -> int:
        """Return how many documents match."""
        ...


def command_id(idempotency_key: str | None, *request: str) -> str:
    """Return the id of a command; the same key on the same request gives the same one."""
    if idempotency_key is None:
        return f"cmd_{uuid.uuid4().hex}"
    return derived_id("cmd", idempotency_key, *request)


class Commands:
    """Sends commands and waits for their outcomes, `patience` seconds long."""

    def __init__(self, database: Reads, publisher: Publishes, patience: float = PATIENCE) -> None:
        self._database, self._publisher, self._patience = database, publisher, patience

    async def outcome(self, command_id: str) -> Document | None:
        """Return the outcome of a command, or None while there is none."""
        return await self._database.find_one(OUTCOMES, {"_id": command_id})

    async def send(self, command: Event, *, repeated: bool) -> Document | None:
        """Publish a command and return its outcome, or None if that took too long.

        One that may be a repetition (`repeated`) is not published again once it has an outcome.
        Raises `Unavailable` when Kafka did not acknowledge it.
        """
        if repeated and (known := await self.outcome(command.id)):
            return known
        await self._publisher.publish([command])
        return await self._wait(command.id)

    async def _wait(self, command_id: str) -> Document | None:
        pause, waited = FIRST_PAUSE, 0.0
        while waited < self._patience:
            await asyncio.sleep(pause)
            if known := await self.outcome(command_id):
                return known
            waited += pause
            pause = min(pause * _GROWTH, LONGEST_PAUSE)
        return None


def command(
    kind: type[Event], command_id: str, data: dict[str, Any], at: datetime, source: str
) -> Event:
    """Build a command; its key is its pool, so that the pool's one owner decides."""
    return kind.model_validate(
        {
            "id": command_id,
            "source": source,
            "type": kind.wire_type,
            "time": at,
            "partitionkey": data["pool"],
            "data": data,
        }
    )
