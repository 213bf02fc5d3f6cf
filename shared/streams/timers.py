"""Durable timers: documents with a due index, and a small heap of those due soon.

The documents are the truth and the heap is a cache: a timer that is popped but no longer stands
(moved, cancelled, fired) is dropped, one that the heap has lost is found by the next sweep. Cost
follows what is due, never what is open.
"""

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo import DeleteMany, ReplaceOne

from shared.mongo import Database
from shared.streams.effects import CancelTimer, SetTimer, TimerDue

COLLECTION = "timers"
SWEEP_EVERY = 15.0  # seconds: a timer the heap lost is at most this late
HORIZON = timedelta(seconds=60)  # the heap holds what is due before the fourth sweep from now
_MOST_PER_SWEEP = 50_000  # documents; more are found by the next sweep
MOST_PER_TICK = 500  # timers per transaction, as records per batch


class DueHeap:
    """Ids of timers due within the horizon, earliest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str, str]] = []
        self._due: dict[str, tuple[datetime, str]] = {}

    def __len__(self) -> int:
        return len(self._due)

    def put(self, timer_id: str, due_at: datetime, shard: str) -> None:
        """Expect a timer; a later call for the same id moves it."""
        if self._due.get(timer_id) == (due_at, shard):
            return
        self._due[timer_id] = (due_at, shard)
        heapq.heappush(self._heap, (due_at, timer_id, shard))

    def drop(self, timer_id: str) -> None:
        """Stop expecting a timer."""
        self._due.pop(timer_id, None)

    def keep_only(self, shards: frozenset[str]) -> None:
        """Forget the timers of shards that are no longer ours."""
        self._due = {i: entry for i, entry in self._due.items() if entry[1] in shards}

    def next_due(self) -> datetime | None:
        """Return when the earliest expected timer is due."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][::2]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: datetime, most: int = MOST_PER_TICK) -> list[tuple[str, str]]:
        """Take out the timers due by `now`: (timer id, shard), earliest first."""
        popped: list[tuple[str, str]] = []
        while len(popped) < most and (due := self.next_due()) is not None and due <= now:
            _, timer_id, shard = heapq.heappop(self._heap)
            del self._due[timer_id]
            popped.append((timer_id, shard))
        return popped


async def sweep(
    database: Database, shards: Iterable[str], now: datetime
) -> list[tuple[str, datetime, str]]:
    """Return (id, due time, shard) of the shards' timers due within the horizon."""
    found = await database.find(
        COLLECTION,
        {"shard": {"$in": list(shards)}, "due_at": {"$lte": now + HORIZON}},
        sort=[("due_at", 1)],
        limit=_MOST_PER_SWEEP,
    )
    return [(document["_id"], document["due_at"], document["shard"]) for document in found]


async def load_due(
    database: Database,
    session: Any,
    timer_ids: Sequence[str],
    shards: Iterable[str],
    now: datetime,
) -> list[TimerDue]:
    """Return those of the timers that still stand, are due and belong to the shards, in order.

    One that was set anew because of another partition's event is its owner's to fire.
    """
    cursor = database.raw[COLLECTION].find(
        {
            "_id": {"$in": list(timer_ids)},
            "shard": {"$in": list(shards)},
            "due_at": {"$lte": now},
        },
        session=session,
    )
    found = await cursor.to_list(None)
    found.sort(key=lambda document: (document["due_at"], document["_id"]))
    return [TimerDue(d["_id"], d["kind"], d["due_at"], d["data"], d["shard"]) for d in found]


async def write(
    database: Database,
    session: Any,
    fired: Sequence[TimerDue],
    changes: Sequence[SetTimer | CancelTimer],
    *,
    careful: bool = True,
) -> None:
    """Remove fired and cancelled timers, and set the others; the last change of an id counts.

    A timer that its service says is new is inserted, unless `careful`: then nothing is believed.
    """
    final = {change.timer_id: change for change in changes}
    gone = [timer.timer_id for timer in fired if timer.timer_id not in final]
    gone += [i for i, change in final.items() if isinstance(change, CancelTimer)]
    new: list[dict[str, Any]] = []
    writes: list[Any] = []
    for change in final.values():
        if isinstance(change, CancelTimer):
            continue
        if change.new and not careful:
            new.append(_document(change))
        else:
            writes.append(ReplaceOne({"_id": change.timer_id}, _document(change), upsert=True))
    if gone:
        writes.append(DeleteMany({"_id": {"$in": gone}}))
    if new:
        await database.raw[COLLECTION].insert_many(new, ordered=False, session=session)
    if writes:
        await database.raw[COLLECTION].bulk_write(writes, ordered=False, session=session)


def _document(timer: SetTimer) -> dict[str, Any]:
    return {
        "_id": timer.timer_id,
        "kind": timer.kind,
        "due_at": timer.due_at,
        "data": timer.data,
        "shard": timer.shard,
    }


async def postpone(database: Database, timer_ids: Sequence[str], until: datetime) -> None:
    """Move timers whose decision failed, so that the others go on."""
    await database.raw[COLLECTION].update_many(
        {"_id": {"$in": list(timer_ids)}}, {"$set": {"due_at": until}}
    )
