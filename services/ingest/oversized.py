"""Records that Kafka takes none of, for their size: kept in MongoDB, visibly, and tried again.

Our catalogue says how large a topic's records may be, and nothing larger is ever sent; but a topic
may have been made smaller. Such a record would hold up everything behind it in the spool. Here it
waits apart until somebody has raised the topic's limit; then it goes out by itself.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from services.ingest.metrics import Meter
from shared.clock import Clock
from shared.mongo import Collection, Index
from shared.observability import get_logger
from shared.streams.sending import Outgoing, RefusedForSize

OVERSIZED = "spool-oversized"
OVERSIZED_COLLECTION = Collection(OVERSIZED, (Index((("tried_at", 1),)),))

_AGAIN = timedelta(minutes=5)  # how long somebody who has raised a limit waits at most
_AT_ONCE = 20  # requests tried in one go: 20 MB at most of events, in about a second

Document = dict[str, Any]


class RecordSender(Protocol):
    """Sends records to Kafka; `shared.streams.Publisher` is one."""

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Return when Kafka has acknowledged all of them, or raise `Unavailable`.

        Raises `RefusedForSize` when it has acknowledged all but those it will never take.
        """
        ...


class OversizedStore(Protocol):
    """What is needed of MongoDB; `shared.mongo.Database` is one."""

    async def insert(self, collection: str, document: Document) -> bool:
        """Add a document; return False if its `_id` is taken."""
        ...

    async def change_one(
        self,
        collection: str,
        where: Mapping[str, Any],
        update: Mapping[str, Any],
        sort: Sequence[tuple[str, int]] = (),
        *,
        create: bool = False,
    ) -> Document | None:
        """Update one document atomically and return it, None if none matches."""
        ...

    async def remove(self, collection: str, where: Mapping[str, Any]) -> int:
        """Remove the documents that match."""
        ...

    async def size(self, collection: str) -> tuple[int, int]:
        """Return how many documents there are, and their bytes."""
        ...


class Oversized:
    """Keeps and tries again what Kafka refuses for its size; any process may try any of it."""

    def __init__(
        self, sender: RecordSender, store: OversizedStore, clock: Clock, meter: Meter
    ) -> None:
        self._sender, self._store, self._clock, self._meter = sender, store, clock, meter
        self._log = get_logger("ingest")
        self._number = 0

    async def keep(self, own_id: str, refused: RefusedForSize) -> None:
        """Return when what was refused of one request is safe; raise `Unavailable` otherwise.

        The same id again (after a crash) adds nothing.
        """
        document = {
            "_id": own_id,
            "records": written(refused.records),
            "tried_at": self._clock.now(),
        }
        if not await self._store.insert(OVERSIZED, document):
            return
        for record in refused.records:
            self._meter.count("ingest_oversized_records_total", topic=record.topic)
        self._log.error(
            "a record is kept that Kafka refuses for its size",
            topic=refused.records[0].topic,
            count=len(refused.records),
            problem=refused.problem,
            fix=refused.fix,
        )

    async def try_again(self) -> None:
        """Send what has not been tried for a while, one request after the other; stop at a refusal.

        So a topic that is still too small is asked for one of them in every round only.
        """
        for _ in range(min(self._number, _AT_ONCE)):
            now = self._clock.now()
            document = await self._store.change_one(
                OVERSIZED,
                {"tried_at": {"$lte": now - _AGAIN}},
                {"$set": {"tried_at": now}},
                sort=(("tried_at", 1),),
            )
            if document is None or not await self._is_taken(document):
                return

    async def _is_taken(self, document: Document) -> bool:
        this = {"_id": document["_id"]}
        try:
            await self._sender.send(read(document["records"]))
        except RefusedForSize as refused:
            left = {"$set": {"records": written(refused.records)}}
            await self._store.change_one(OVERSIZED, this, left)
            return False
        await self._store.remove(OVERSIZED, this)
        return True

    async def size(self) -> int:
        """Look how many bytes are kept, and show how many requests they are of."""
        self._number, kept = await self._store.size(OVERSIZED)
        self._meter.set("ingest_oversized_requests", self._number)
        return kept


def written(records: Sequence[Outgoing]) -> list[Document]:
    """Return records as MongoDB keeps them."""
    return [{"topic": record.topic, "key": record.key, "value": record.value} for record in records]


def read(kept: Sequence[Document]) -> list[Outgoing]:
    """Return records that MongoDB kept."""
    return [Outgoing(one["topic"], bytes(one["key"]), bytes(one["value"])) for one in kept]
