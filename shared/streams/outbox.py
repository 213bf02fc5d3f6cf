"""The outbox: decided events, kept in the deciding transaction until Kafka has them.

One document per batch and shard holds its events in order, so a batch of hundreds costs one
insert and one delete. A document's `_id` comes from the shard and its position, which only one
transaction can have advanced to.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.mongo import Database
from shared.streams.sending import Outgoing

COLLECTION = "outbox"
_MAX_PARCEL = 8 * 1024 * 1024  # bytes; half of MongoDB's 16 MiB per document


@dataclass(frozen=True, slots=True)
class Parcel:
    """Events of one shard from one transaction, in order."""

    parcel_id: str
    shard: str
    records: tuple[Outgoing, ...]
    decided_at: datetime

    def document(self) -> dict[str, Any]:
        """Return it as MongoDB keeps it."""
        return {
            "_id": self.parcel_id,
            "shard": self.shard,
            "decided_at": self.decided_at,
            "records": [[r.topic, r.key, r.value] for r in self.records],
        }


def parcels(shard: str, at: str, records: Sequence[Outgoing], now: datetime) -> list[Parcel]:
    """Wrap a shard's events; `at` names the position (zero-padded, so that ids sort by it)."""
    groups: list[list[Outgoing]] = [[]]
    size = 0
    for record in records:
        if groups[-1] and size + len(record.value) > _MAX_PARCEL:
            groups.append([])
            size = 0
        groups[-1].append(record)
        size += len(record.value)
    return [
        Parcel(f"{shard}@{at}.{number:04}", shard, tuple(group), now)
        for number, group in enumerate(groups)
    ]


async def leftovers(database: Database, shards: Iterable[str]) -> list[Parcel]:
    """Return what these shards decided and may not have published, oldest first."""
    found = await database.find(COLLECTION, {"shard": {"$in": list(shards)}}, sort=[("_id", 1)])
    return [
        Parcel(
            document["_id"],
            document["shard"],
            tuple(Outgoing(topic, key, value) for topic, key, value in document["records"]),
            document["decided_at"],
        )
        for document in found
    ]


async def delete(database: Database, sent: Sequence[str]) -> None:
    """Forget the parcels of these ids: Kafka has acknowledged them."""
    await database.raw[COLLECTION].delete_many({"_id": {"$in": list(sent)}})


def oldest_age(parcels: Iterable[Parcel], now: datetime | None = None) -> float:
    """Return how many seconds the oldest of the parcels has been waiting."""
    now = now or datetime.now(UTC)
    return max(
        (max(0.0, (now - parcel.decided_at).total_seconds()) for parcel in parcels), default=0.0
    )
