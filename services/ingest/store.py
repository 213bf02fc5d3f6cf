"""What ingest keeps: raw mails as blobs, proofs that may come once, the spool, and chats."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from services.ingest.adapters.contract import Blob, ChannelAccount, SignatureRefused
from services.ingest.chat_store import CHAT_COLLECTIONS
from services.ingest.spool import SPOOL_COLLECTIONS
from shared.mongo import Collection, Index

PROOFS = "proofs"
_PROOFS_KEPT = timedelta(days=1)  # a proof is refused as stale after minutes

COLLECTIONS: tuple[Collection, ...] = (
    *SPOOL_COLLECTIONS,
    *CHAT_COLLECTIONS,
    Collection(PROOFS, (Index((("at", 1),), expire_after=_PROOFS_KEPT),)),
)


class Store(Protocol):
    """Keeps bytes and small documents; `shared.mongo.Database` is one."""

    async def put_blob(self, blob_id: str, data: bytes) -> None:
        """Return when a majority has the bytes, or raise `Unavailable`."""
        ...

    async def insert(self, collection: str, document: dict[str, Any]) -> bool:
        """Add a document; return False if its `_id` is taken."""
        ...

    async def find_one(self, collection: str, where: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return one document that matches, or None."""
        ...


async def keep(store: Store, blobs: Sequence[Blob]) -> None:
    """Make every blob durable; keeping one again changes nothing."""
    for blob in blobs:
        await store.put_blob(blob.id, blob.body)


async def require_first_use(
    store: Store, account: ChannelAccount, proof: str, body: bytes, now: datetime
) -> None:
    """Refuse a proof that came with another body before; the same body is a provider's retry."""
    named = f"{account.provider}/{account.name}/{proof}"
    proof_id, digest = (hashlib.sha256(part).hexdigest() for part in (named.encode(), body))
    if await store.insert(PROOFS, {"_id": proof_id, "body": digest, "at": now}):
        return
    before = await store.find_one(PROOFS, {"_id": proof_id})
    if before is None or before["body"] != digest:
        raise SignatureRefused("reused")
