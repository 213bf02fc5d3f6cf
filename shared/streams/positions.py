"""Positions and epochs: who may write for a partition, and how far it has come.

One document per shard. Claiming a shard raises its epoch; every transaction changes the document
under the epoch it claimed, so that a former owner's write matches nothing (Kleppmann's fencing
token, checked by the store itself). `offset` is the last applied one, -1 before the first;
`ticks` counts the transactions that advanced no offset.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import OperationFailure, PyMongoError

from shared.mongo import Database

COLLECTION = "positions"


@dataclass(frozen=True, slots=True)
class Claim:
    """A shard that is ours: its epoch, and the last applied offset and tick at that moment."""

    shard: str
    epoch: int
    offset: int
    ticks: int


class Fenced(Exception):
    """A shard is not as we left it, mostly because another process has claimed it: claim anew."""


async def claim(
    database: Database,
    shards: Sequence[str],
    *,
    generation: int,
    owner: str,
    lsid: Any,
    force: bool,
) -> list[Claim]:
    """Claim shards; those that a later generation of the group holds are left out.

    Kafka numbers a group's assignments by generation: a claim that was delayed (its process
    frozen) carries an old one and must not overtake. Numbers restart when Kafka forgets the
    group, so a member that stays assigned may `force` its claim. The previous owner's session is
    ended first: a transaction it left open would hold the document until the server reaps it.
    """
    await _prepare(database, shards)
    await _end_sessions(database, shards, lsid)
    wanted = {} if force else {"generation": {"$lte": generation}}
    claims = []
    for shard in shards:
        document = await database.raw[COLLECTION].find_one_and_update(
            {"_id": shard, **wanted},
            {
                "$inc": {"epoch": 1},
                "$set": {"generation": generation, "owner": owner, "lsid": lsid},
            },
            return_document=ReturnDocument.AFTER,
        )
        if document is not None:
            claims.append(Claim(shard, document["epoch"], document["offset"], document["ticks"]))
    return claims


async def _prepare(database: Database, shards: Iterable[str]) -> None:
    """Make the documents beforehand: an upsert would turn a refused claim into a second owner."""
    fresh = {"epoch": 0, "offset": -1, "ticks": 0, "generation": -1}
    await database.raw[COLLECTION].bulk_write(
        [UpdateOne({"_id": shard}, {"$setOnInsert": fresh}, upsert=True) for shard in shards],
        ordered=False,
    )


async def _end_sessions(database: Database, shards: Sequence[str], own: Any) -> None:
    found = await database.find(COLLECTION, {"_id": {"$in": list(shards)}})
    others = {bytes(d["lsid"]): d["lsid"] for d in found if d.get("lsid") not in (None, own)}
    if not others:
        return
    try:
        await database.client.admin.command(
            {"killSessions": [{"id": lsid} for lsid in others.values()]}
        )
    except (OperationFailure, PyMongoError):
        return  # not allowed on some managed clusters: the claim then waits for the server


@dataclass(frozen=True, slots=True)
class Move:
    """One shard's step: from where it must stand to the offset `to`, or one tick on if None."""

    shard: str
    epoch: int
    offset: int
    ticks: int
    to: int | None


async def advance(database: Database, session: Any, moves: Sequence[Move], unit: str) -> None:
    """Move the positions inside the transaction; raise `Fenced` if one stands elsewhere.

    Elsewhere means another owner, or a transaction of our own whose outcome we never learnt: had
    it committed and were only "further than before" asked for, its records would count twice.
    Every document changes, because MongoDB sees a conflict only between writes that change
    something. `unit` names the transaction, so that it can be told later whether it committed.
    """
    writes = [
        UpdateOne(
            {"_id": m.shard, "epoch": m.epoch, "offset": m.offset, "ticks": m.ticks},
            {"$set": {"unit": unit, "ticks": m.ticks + 1}}
            if m.to is None
            else {"$set": {"unit": unit, "offset": m.to}},
        )
        for m in moves
    ]
    result = await database.raw[COLLECTION].bulk_write(writes, ordered=False, session=session)
    if result.matched_count != len(writes):
        raise Fenced
