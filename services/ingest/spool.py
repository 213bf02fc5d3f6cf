"""The spool: where accepted records wait in MongoDB while Kafka does not acknowledge.

Senders get their 2xx all the same, so a provider that tries once loses nothing. One process at a
time drains it, in the order in which the records were kept, and removes what Kafka has
acknowledged; a record published twice has the same id, so a crash in between changes nothing.
It is bounded: a full spool refuses, and the sender is told to try again.

What Kafka refuses for its size holds nothing up: it is kept apart (`oversized.py`).
"""

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from services.ingest.metrics import Meter
from services.ingest.oversized import (
    OVERSIZED_COLLECTION,
    Document,
    Oversized,
    OversizedStore,
    RecordSender,
    read,
    written,
)
from shared.clock import Clock
from shared.errors import Unavailable
from shared.mongo import Collection
from shared.observability import UNWATCHED, Progress
from shared.streams.sending import Outgoing, RefusedForSize

SPOOL = "spool"
DRAINERS = "spool-drainers"
SPOOL_COLLECTIONS = (Collection(SPOOL), Collection(DRAINERS), OVERSIZED_COLLECTION)

KAFKA_SECONDS = 2.0  # a leader election takes about one; a provider waits for five at least
_BATCH = 100  # requests: one Kafka flush of about 100 KB
_LARGEST = 12 * 1024 * 1024  # bytes of one request's records: a document takes 16 MiB
_PAUSE = 0.5  # seconds between looks while nothing can be drained
_LEASE = timedelta(seconds=15)  # longer than a find, a publish and a removal take at worst


class SpoolStore(OversizedStore, Protocol):
    """What the spool needs of MongoDB; `shared.mongo.Database` is one."""

    async def find(
        self,
        collection: str,
        where: Mapping[str, Any],
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
    ) -> list[Document]:
        """Return the documents that match, in order."""
        ...


class Spool:
    """Keeps records while Kafka is away; `limit` is in bytes over all processes.

    The bound is checked against what was there at the last look, half a second ago at most, and
    what this process added since: several processes can exceed it by what they keep in that time.
    """

    def __init__(
        self, sender: RecordSender, store: SpoolStore, clock: Clock, meter: Meter, limit: int
    ) -> None:
        self._sender, self._store = sender, store
        self._clock, self._meter, self._limit = clock, meter, limit
        self._oversized = Oversized(sender, store, clock, meter)
        self._me, self._numbers = uuid.uuid4().hex[:8], itertools.count()
        self._bytes = self._kept = 0
        self._is_in_use = False

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Return when the records are safe, on Kafka or here; raise `Unavailable` otherwise.

        While there is anything in the spool all goes there, so that nothing overtakes it; and
        nobody waits for a Kafka that is known to be away.
        """
        if not self._is_in_use:
            try:
                async with asyncio.timeout(KAFKA_SECONDS):
                    await self._sender.send(records)
            except RefusedForSize as refused:
                with self._room_for(refused.records):
                    await self._oversized.keep(self._new_id(), refused)
                return
            except (Unavailable, TimeoutError):
                self._is_in_use = True
            else:
                return
        await self._keep(records)

    async def _keep(self, records: Sequence[Outgoing]) -> None:
        with self._room_for(records):
            self._kept += 1
            await self._store.insert(
                SPOOL,
                {
                    "_id": self._new_id(),
                    "records": written(records),
                    "kept_at": self._clock.now(),
                },
            )
        self._meter.count("ingest_spooled_total")

    @contextlib.contextmanager
    def _room_for(self, records: Sequence[Outgoing]) -> Iterator[None]:
        """Count records in, and out again if they cannot be kept; refuse them without room."""
        size = sum(len(record.value) + len(record.key) for record in records)
        if size > _LARGEST or self._bytes + size > self._limit:
            self._meter.count("ingest_spool_refused_total")
            raise Unavailable(
                "Kafka does not acknowledge and the spool is full.",
                "Try again; see ingest_spool_bytes and THROUGHLINE_INGEST_SPOOL_BYTES.",
            )
        self._bytes += size  # before anything waits: others must not count on the same room
        try:
            yield
        except Unavailable:
            self._bytes -= size
            raise

    def _new_id(self) -> str:
        """Return an id that sorts by when it was made."""
        now = self._clock.now()
        return f"{int(now.timestamp() * 1000):015}-{next(self._numbers):09}-{self._me}"

    async def run(self, health: Progress = UNWATCHED) -> None:
        """Drain for life."""
        while True:
            health.tick("spool")
            try:
                drained = await self._drain_some()
                await self._oversized.try_again()
            except Unavailable:
                drained = 0
            if not drained:
                await asyncio.sleep(_PAUSE)

    async def _drain_some(self) -> int:
        """Publish the oldest records and remove them; return how many requests they were of."""
        kept_before = self._kept
        number, spooled = await self._store.size(SPOOL)
        self._bytes = spooled + await self._oversized.size()
        self._meter.set("ingest_spool_requests", number)
        self._meter.set("ingest_spool_bytes", self._bytes)
        if number:
            self._is_in_use = True  # another process may have begun to keep
        elif self._kept == kept_before:
            self._is_in_use = False
        if not number:
            return 0
        if not await self._is_drainer():
            return 0
        kept = await self._store.find(SPOOL, {}, sort=(("_id", 1),), limit=_BATCH)
        await self._send_kept(kept)
        await self._store.remove(SPOOL, {"_id": {"$in": [document["_id"] for document in kept]}})
        self._meter.count("ingest_spool_drained_total", len(kept))
        return len(kept)

    async def _send_kept(self, kept: Sequence[Document]) -> None:
        """Return when Kafka has what was kept, and what it refuses for its size is kept apart."""
        of = {document["_id"]: read(document["records"]) for document in kept}
        try:
            await self._sender.send([record for records in of.values() for record in records])
        except RefusedForSize as refused:
            wanted = set(refused.records)
            for own_id, records in of.items():
                if theirs := [record for record in records if record in wanted]:
                    await self._oversized.keep(own_id, RefusedForSize(theirs))

    async def _is_drainer(self) -> bool:
        """Take or renew the lease on draining; tell whether it is ours."""
        now = self._clock.now()
        free = {"$or": [{"until": {"$lte": now}}, {"owner": self._me}]}
        mine = {"$set": {"owner": self._me, "until": now + _LEASE}}
        taken = await self._store.change_one(DRAINERS, {"_id": "drain", **free}, mine, create=True)
        return taken is not None
