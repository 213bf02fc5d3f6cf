"""Which shards are ours right now, and what must happen before we may write for them.

Kafka's assignment only starts it. A shard is held once its epoch is claimed, its predecessor's
unsent events are out, its timers are in the heap and the consumer stands right behind the stored
position. That takes longer than a rebalance callback may, so it runs in a task of its own, and
records wait for it.
"""

import asyncio
import contextlib
import socket
import time
import uuid
from collections.abc import Iterable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from pymongo.errors import PyMongoError

from shared.errors import ThroughlineError, Unavailable
from shared.mongo import Database
from shared.mongo.transactions import Transactions
from shared.streams import outbox, positions, timers
from shared.streams.crash import crash_point
from shared.streams.publisher import Publisher
from shared.streams.scope import Scope
from shared.streams.shards import shard_id
from shared.streams.timers import DueHeap
from shared.streams.unit import Held

_PAUSE = 0.5


class TopicRecreated(ThroughlineError):
    """A topic ends before our position in it: it is not the topic we read before."""


class Ownership:
    """The shards a processor holds in this process."""

    def __init__(
        self,
        scope: Scope,
        database: Database,
        transactions: Transactions,
        publisher: Publisher,
        heap: DueHeap,
    ) -> None:
        self._scope, self._database, self._transactions = scope, database, transactions
        self._publisher, self._heap = publisher, heap
        self._owner = f"{socket.gethostname()}/{uuid.uuid4().hex[:8]}"
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self.held: dict[str, Held] = {}
        self.failure: BaseException | None = None

    def shard(self, partition: TopicPartition) -> str:
        """Return the shard of a partition of Kafka's."""
        return shard_id(
            self._scope.name, partition.topic[len(self._scope.prefix) :], partition.partition
        )

    def partition(self, held: Held) -> TopicPartition:
        """Return the partition of Kafka's that a shard reads."""
        return TopicPartition(f"{self._scope.prefix}{held.topic}", held.partition)

    def assigned(self, partitions: Iterable[TopicPartition], consumer: Any) -> None:
        """Start taking over what Kafka assigned; never waits."""
        self._scope.metrics.count("rebalances_total", processor=self._scope.name)
        if self._task is not None:
            self._task.cancel()  # two at once would claim from each other
        self._settled.clear()
        wanted = list(partitions)
        generation = consumer._coordinator.generation  # private; the group's own number for this
        self._task = asyncio.create_task(self._take_over(wanted, consumer, generation))

    async def settled(self) -> None:
        """Return when the current assignment is taken over, or given up."""
        await self._settled.wait()

    async def release(self) -> None:
        """Give everything up."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self.held.clear()
        self._heap.keep_only(frozenset())
        self._scope.metrics.set("partitions_owned", 0, processor=self._scope.name)
        self._settled.set()

    def lost(self, consumer: Any) -> None:
        """Drop everything and claim again what Kafka still says is ours."""
        self.held.clear()
        self._heap.keep_only(frozenset())
        self.assigned(consumer.assignment(), consumer)

    async def _take_over(
        self, partitions: list[TopicPartition], consumer: Any, generation: int
    ) -> None:
        try:
            shards = {self.shard(partition): partition for partition in partitions}
            claims = await self._claim(list(shards), generation)
            crash_point("claimed")
            await self._publish_leftovers(list(shards))
            due = await self._insist(timers.sweep, self._database, shards, self._scope.clock.now())
            await self._seek(consumer, {shards[claim.shard]: claim for claim in claims})
            self._hold(shards, claims)
            for timer in due:  # not before: a tick drops what comes due for a shard not held yet
                self._heap.put(*timer)
        except asyncio.CancelledError:
            raise  # whoever cancelled says what is settled
        except BaseException as error:
            self.failure = error
        if self._task is asyncio.current_task():
            self._settled.set()

    def _hold(self, shards: dict[str, TopicPartition], claims: Iterable[positions.Claim]) -> None:
        for claim in claims:
            partition = shards[claim.shard]
            topic = partition.topic[len(self._scope.prefix) :]
            self.held[claim.shard] = Held(
                claim.shard,
                topic,
                partition.partition,
                claim.epoch,
                claim.offset,
                claim.offset,
                claim.ticks,
            )
        self._scope.metrics.set("partitions_owned", len(self.held), processor=self._scope.name)
        self._scope.log.info("partitions claimed", processor=self._scope.name, count=len(self.held))

    async def _claim(self, shards: list[str], generation: int) -> list[positions.Claim]:
        """Claim every shard; one that a later generation holds is tried again, at last by force.

        Whoever is still assigned after a whole session timeout is the owner: Kafka has forgotten
        the group's old numbering.
        """
        claims: list[positions.Claim] = []
        started = time.monotonic()
        while missing := [s for s in shards if s not in {claim.shard for claim in claims}]:
            force = time.monotonic() - started > self._scope.session_timeout
            lsid = await self._insist(self._transactions.lsid)
            claims += await self._insist(
                positions.claim,
                self._database,
                missing,
                generation=generation,
                owner=self._owner,
                lsid=lsid,
                force=force,
            )
            if len(claims) < len(shards):
                await asyncio.sleep(_PAUSE)
        return claims

    async def _publish_leftovers(self, shards: list[str]) -> None:
        left = await self._insist(outbox.leftovers, self._database, shards)
        if not left:
            return
        records = [record for parcel in left for record in parcel.records]
        await self._insist(self._publisher.send, records)
        crash_point("leftovers-published")
        await self._insist(outbox.delete, self._database, [one.parcel_id for one in left])
        self._scope.log.info("leftovers published", processor=self._scope.name, count=len(records))

    async def _seek(self, consumer: Any, claims: dict[TopicPartition, positions.Claim]) -> None:
        """Stand right behind each stored position, whatever offset Kafka remembers."""
        begins, ends = await asyncio.gather(  # at once: each waits for the fetch on its way to end
            self._insist(consumer.beginning_offsets, list(claims)),
            self._insist(consumer.end_offsets, list(claims)),
        )
        for partition, claim in claims.items():
            wanted = claim.offset + 1
            if wanted > ends[partition]:
                raise TopicRecreated(
                    f"{partition.topic}/{partition.partition} ends at {ends[partition]}, "
                    f"but {claim.shard} was applied up to {claim.offset}.",
                    "The topic was made anew: delete this document from `positions`, restart.",
                )
            with contextlib.suppress(IllegalStateError):  # revoked meanwhile
                consumer.seek(partition, max(wanted, begins[partition]))

    async def _insist(self, call: Any, *arguments: Any, **named: Any) -> Any:
        """Try until it works: a store that is away comes back, or we are revoked."""
        while True:
            try:
                return await call(*arguments, **named)
            except (PyMongoError, KafkaError, Unavailable, TimeoutError) as error:
                self._scope.complain("taking over partitions waits", error)
                await asyncio.sleep(_PAUSE)
