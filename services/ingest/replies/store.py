"""Replies in MongoDB: who may work on one, and what it became.

A reply is worked on under a lease: `owner` names one claim, and only under it may the reply be
changed. The unique index on `claimed` lets one reply of a conversation be claimed at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Protocol

from services.ingest.domain.delivery import State, Step
from services.ingest.senders.contract import File, Reply
from services.ingest.store import AUTOMATIC_SLOTS, CONVERSATIONS, REPLIES, Document

LEASE = timedelta(seconds=60)  # twice what a call (15 s), its record and its event (10 s) take
HOUR = timedelta(hours=1)
_PUBLISH_AGAIN = timedelta(seconds=5)
_UNSENT = ("waiting", "sending")


class Documents(Protocol):
    """What replies need of a database; `shared.mongo.Database` is one."""

    async def find_one(self, collection: str, where: Mapping[str, Any]) -> Document | None:
        """Return one document that matches, or None."""
        ...

    async def find(
        self,
        collection: str,
        where: Mapping[str, Any],
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
    ) -> list[Document]:
        """Return the documents that match, in order."""
        ...

    async def insert(self, collection: str, document: Document) -> bool:
        """Add a document; return False if its `_id` is taken."""
        ...

    async def change_one(
        self,
        collection: str,
        where: Mapping[str, Any],
        update: Mapping[str, Any],
        sort: Sequence[tuple[str, int]] = (),
    ) -> Document | None:
        """Change the first document that matches, atomically; return it, or None."""
        ...

    async def get_blob(self, blob_id: str) -> bytes | None:
        """Return the bytes kept under an id, or None."""
        ...


def reply_document(
    reply: Reply, *, provider: str, account: str, channel: str, fingerprint: str
) -> Document:
    """Return a reply as it is first kept: waiting, due at once."""
    content = asdict(reply)
    for file in content["files"]:
        del file["content"]
    return {
        "_id": content.pop("reply_id"),
        "conversation_id": content.pop("conversation_id"),
        "created_at": content.pop("created_at"),
        "provider": provider,
        "account": account,
        "channel": channel,
        "fingerprint": fingerprint,
        "content": content,
        "state": "waiting",
        "reason": None,
        "attempts": 0,
        "open": True,
        "claimed": False,
        "owner": None,
        "lease_until": None,
        "next_at": reply.created_at,
        "message_id": None,
        "settled_at": None,
        "finished_at": None,
    }


def reply_from(document: Document) -> Reply:
    """Return the reply that a document keeps."""
    content: dict[str, Any] = {
        **document["content"],
        "files": tuple(File(**file) for file in document["content"]["files"]),
        "contact_points": tuple(document["content"]["contact_points"]),
        "thread": tuple(document["content"]["thread"]),
        "template_parameters": tuple(document["content"].get("template_parameters", ())),
    }
    return Reply(
        reply_id=document["_id"],
        conversation_id=document["conversation_id"],
        created_at=document["created_at"],
        **content,
    )


class ReplyStore:
    """The replies of all processes."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def add(self, document: Document) -> bool:
        """Keep a new reply; return False if one with its id is there."""
        return await self._documents.insert(REPLIES, document)

    async def get(self, reply_id: str) -> Document | None:
        """Return a reply, or None."""
        return await self._documents.find_one(REPLIES, {"_id": {"$eq": reply_id}})

    async def due(
        self, now: datetime, limit: int, without: Sequence[tuple[str, str]] = ()
    ) -> list[Document]:
        """Return the replies there is something to do for, the longest due first.

        None of the channel accounts (provider, account) in `without` is among them.
        """
        where: Document = {"open": True, "next_at": {"$lte": now}, **_free(now)}
        if without:
            where["$nor"] = [{"provider": each[0], "account": each[1]} for each in without]
        return await self._documents.find(REPLIES, where, (("next_at", 1),), limit)

    async def waits_for_another(self, reply: Document) -> bool:
        """Say whether an earlier reply of the conversation is still to be sent."""
        where = {
            "open": True,
            "conversation_id": {"$eq": reply["conversation_id"]},
            "state": {"$in": list(_UNSENT)},
            "$or": [
                {"created_at": {"$lt": reply["created_at"]}},
                {"created_at": {"$eq": reply["created_at"]}, "_id": {"$lt": reply["_id"]}},
            ],
        }
        return await self._documents.find_one(REPLIES, where) is not None

    async def claim(self, reply_id: str, owner: str, now: datetime) -> Document | None:
        """Lease a reply; None if somebody else has it, or another one of its conversation."""
        return await self._documents.change_one(
            REPLIES,
            {"_id": {"$eq": reply_id}, "open": True, "next_at": {"$lte": now}, **_free(now)},
            {"$set": {"claimed": True, "owner": owner, "lease_until": now + LEASE}},
        )

    async def hold(
        self, reply_id: str, owner: str, attempts: int, now: datetime
    ) -> Document | None:
        """Renew the lease for one more preparatory call; None if it was lost.

        The reply still waits: whoever finds it after a crash may begin again.
        """
        return await self._change_held(reply_id, owner, attempts, now, "waiting")

    async def mark_sending(
        self, reply_id: str, owner: str, attempts: int, now: datetime
    ) -> Document | None:
        """Write down that the call is about to be made; None if the lease was lost."""
        return await self._change_held(reply_id, owner, attempts, now, "sending")

    async def _change_held(
        self, reply_id: str, owner: str, attempts: int, now: datetime, state: State
    ) -> Document | None:
        return await self._documents.change_one(
            REPLIES,
            {"_id": {"$eq": reply_id}, "owner": owner, "state": "waiting"},
            {"$set": {"state": state, "attempts": attempts, "lease_until": now + LEASE}},
        )

    async def settle(self, reply_id: str, owner: str, step: Step, now: datetime) -> Document | None:
        """Write down what an attempt came to; None if somebody else has done so.

        That a message was sent is a fact, whoever has the lease by now, and it outweighs an
        outcome that was unknown.
        """
        where: Document = {
            "_id": {"$eq": reply_id},
            "owner": owner,
            "state": {"$in": list(_UNSENT)},
        }
        if step.state == "sent":
            where = {"_id": {"$eq": reply_id}, "state": {"$in": [*_UNSENT, "unknown"]}}
        changes: Document = {"state": step.state, "reason": step.reason, "open": True}
        if step.state == "waiting":
            changes |= {"claimed": False, "next_at": step.next_at}
        else:
            changes |= {"message_id": step.message_id, "settled_at": now, "next_at": now}
        return await self._documents.change_one(REPLIES, where, {"$set": changes})

    async def wait(self, reply_id: str, until: datetime) -> None:
        """Let a reply that nobody has claimed be looked at again then."""
        await self._documents.change_one(
            REPLIES,
            {"_id": {"$eq": reply_id}, "open": True, "claimed": False},
            {"$set": {"next_at": until}},
        )

    async def postpone(self, reply_id: str, owner: str, until: datetime) -> None:
        """Give a claimed reply back, to be looked at again then."""
        await self._documents.change_one(
            REPLIES,
            {"_id": {"$eq": reply_id}, "owner": owner, "claimed": True},
            {"$set": {"claimed": False, "next_at": until}},
        )

    async def finish(self, reply: Document, now: datetime) -> None:
        """Write down that everybody was told; the next of the conversation may go."""
        await self._documents.change_one(
            REPLIES,
            {"_id": reply["_id"], "state": reply["state"]},
            {"$set": {"open": False, "claimed": False, "finished_at": now}},
        )
        await self._documents.change_one(
            REPLIES,
            {
                "open": True,
                "conversation_id": reply["conversation_id"],
                "state": "waiting",
                "attempts": 0,
            },
            {"$set": {"next_at": now}},
            (("created_at", 1),),
        )

    async def publish_again(self, reply: Document, now: datetime) -> None:
        """Give a reply back whose event could not be published."""
        await self._documents.change_one(
            REPLIES,
            {"_id": reply["_id"], "state": reply["state"], "open": True},
            {"$set": {"claimed": False, "next_at": now + _PUBLISH_AGAIN}},
        )

    async def window_of(self, conversation_id: str) -> datetime | None:
        """Return when a conversation's service window closes, None if it never opened."""
        known = await self._documents.find_one(CONVERSATIONS, {"_id": {"$eq": conversation_id}})
        closes: datetime | None = known["window_closes_at"] if known else None
        return closes

    async def take_slot(self, recipient: str, slots: int, now: datetime) -> bool:
        """Take one of a recipient's slots for automatic replies, each free again after an hour.

        `recipient` is an id made under the deployment's key, never an address.
        """
        ids = [f"{recipient}/{number}" for number in range(slots)]
        where = {"_id": {"$in": ids}, "at": {"$lte": now - HOUR}}
        if await self._documents.change_one(AUTOMATIC_SLOTS, where, {"$set": {"at": now}}):
            return True
        for slot in ids:
            if await self._documents.insert(AUTOMATIC_SLOTS, {"_id": slot, "at": now}):
                return True
        return False


def _free(now: datetime) -> Document:
    return {"$or": [{"claimed": False}, {"lease_until": {"$lte": now}}]}
