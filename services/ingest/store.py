"""What ingest keeps: raw mails, as blobs. Everything else it knows is on Kafka."""

from collections.abc import Sequence
from typing import Protocol

from services.ingest.adapters.contract import Blob
from shared.mongo import Collection

COLLECTIONS: tuple[Collection, ...] = ()


class BlobStore(Protocol):
    """Keeps bytes for good; `shared.mongo.Database` is one."""

    async def put_blob(self, blob_id: str, data: bytes) -> None:
        """Return when a majority has the bytes, or raise `Unavailable`."""
        ...


async def keep(store: BlobStore, blobs: Sequence[Blob]) -> None:
    """Make every blob durable; keeping one again changes nothing."""
    for blob in blobs:
        await store.put_blob(blob.id, blob.body)
