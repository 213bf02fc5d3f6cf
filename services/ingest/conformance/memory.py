"""What stands behind a door, in memory: a Kafka, a store, and a clock that stands still."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.ingest.conformance.subject import Subject
from services.ingest.handlers import Intake
from services.ingest.metrics import METRICS, Meter
from shared.events import Event
from shared.observability.metrics import Metrics


@dataclass
class Memory:
    """Takes everything and forgets it with the process."""

    time: datetime
    events: list[Event] = field(default_factory=list)
    documents: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def intake(self, subject: Subject, meter: Meter | None = None) -> Intake:
        """Return an intake with this behind it."""
        return Intake(self, self, self, subject.ids, meter or Metrics(METRICS))

    async def publish(self, events: Sequence[Event]) -> None:
        """Take events."""
        self.events.extend(events)

    async def put_blob(self, blob_id: str, data: bytes) -> None:
        """Take bytes, and forget them at once."""

    async def insert(self, collection: str, document: dict[str, Any]) -> bool:
        """Add a document unless its `_id` is taken."""
        key = collection, document["_id"]
        return self.documents.setdefault(key, document) is document

    async def find_one(self, collection: str, where: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a document by its `_id`."""
        return self.documents.get((collection, where["_id"]))

    def now(self) -> datetime:
        """Return the time it stands at."""
        return self.time
