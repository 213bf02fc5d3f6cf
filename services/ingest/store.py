"""What ingest keeps: raw mails as blobs, proofs, the spool, conversations, replies, and chats.

Replies are the only ones that hold what somebody wrote; they go after 30 days (the timeline has
them).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Protocol

from services.ingest.adapters.contract import Blob
from services.ingest.adapters.request import SignatureRefused
from services.ingest.adapters.schemes.base import LONGEST_TOLERANCE
from services.ingest.chat.store import CHAT_COLLECTIONS
from services.ingest.domain.conversations import Conversation, Link, Pair, Point, SharedFile, Told
from services.ingest.spool import SPOOL_COLLECTIONS
from shared.mongo import Collection, Index

Document = dict[str, Any]

PROOFS = "proofs"
CONVERSATIONS = "conversations"
REPLIES = "replies"
AUTOMATIC_SLOTS = "automatic_slots"

_PROOFS_KEPT = LONGEST_TOLERANCE + timedelta(days=1)  # any proof is stale before it is forgotten
_REPLIES_KEPT = timedelta(days=30)

COLLECTIONS: tuple[Collection, ...] = (
    *SPOOL_COLLECTIONS,
    *CHAT_COLLECTIONS,
    Collection(PROOFS, (Index((("used_at", 1),), expire_after=_PROOFS_KEPT),)),
    Collection(CONVERSATIONS),
    Collection(
        REPLIES,
        (
            # what there is to do, by when; of all replies only those that are not finished
            Index((("next_at", 1),), where={"open": True}),
            Index((("conversation_id", 1), ("created_at", 1)), where={"open": True}),
            # one reply of a conversation at a time, whoever works on it: that keeps their order
            Index((("conversation_id", 1), ("claimed", 1)), unique=True, where={"claimed": True}),
            Index((("finished_at", 1),), expire_after=_REPLIES_KEPT),
        ),
    ),
    Collection(AUTOMATIC_SLOTS, (Index((("at", 1),), expire_after=timedelta(days=1)),)),
)

_TOLD = ("reply_to", "subject", "last_received", "last_automatic", "case_reference")


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
    store: Store, provider: str, proof: str, body: bytes, now: datetime
) -> None:
    """Refuse a proof that came with another body before; the same body is a provider's retry.

    Before means at any channel account of the provider: several may have one key.
    """
    named = f"{provider}/{proof}"
    proof_id, digest = (hashlib.sha256(part).hexdigest() for part in (named.encode(), body))
    if await store.insert(PROOFS, {"_id": proof_id, "body": digest, "used_at": now}):
        return
    before = await store.find_one(PROOFS, {"_id": proof_id})
    if before is None or before["body"] != digest:
        raise SignatureRefused("reused")


def conversation_document(conversation: Conversation) -> Document:
    """Return the conversation as it is kept."""
    document = asdict(conversation)
    return {"_id": document.pop("conversation_id"), **document}


def conversation_from(document: Document) -> Conversation:
    """Return the conversation that a document keeps."""
    told = {name: Told(**document[name]) if document[name] else None for name in _TOLD}
    return Conversation(
        conversation_id=document["_id"],
        provider=document["provider"],
        account=document["account"],
        channel=document["channel"],
        points=tuple(Point(**point) for point in document["points"]),
        pairs=tuple(Pair(**pair) for pair in document["pairs"]),
        root=Link(**document["root"]) if document["root"] else None,
        thread=tuple(Link(**link) for link in document["thread"]),
        window_closes_at=document["window_closes_at"],
        files=tuple(SharedFile(**file) for file in document["files"]),
        **told,
    )
