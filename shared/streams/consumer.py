"""The batch subscriber: FastStream's, with everything that would lose a record switched off.

Why each setting is as it is: docs/adr/0001. The parser is ours because a header that is null or
not UTF-8 makes FastStream's drop the whole batch; the decoder passes the raw records on, because
ours decodes bytes once. Both must be `async def`, or they run in a thread pool per call.
"""

import asyncio
import os
from dataclasses import replace
from typing import Any

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from shared.streams.lenient import read_leniently
from shared.streams.worker import Worker

MAX_RECORDS = 500  # per batch: 54 ms in one transaction, far below its 5 s life time
_POLL_MS = (
    5  # FastStream sleeps as long after an empty poll; ours lasts longer, see `_IDLE_POLL_MS`
)
_IDLE_POLL_MS = (
    500  # the poll itself returns at once when there is a record; each one shows we live
)
_HEARTBEATS = 10  # per session: nine may get lost
_REBALANCE_TIMEOUT_MS = 60_000  # 20 s of draining and the slowest batch fit in
_MAX_POLL_INTERVAL_MS = 300_000  # ten times the transaction deadline
# aiokafka leaves a partition with unread records out of its next fetch, and until that one returns
# nothing new of the partition is fetched: were it to wait for 500 ms, a busy partition among quiet
# ones (a pool's commands) would be read half a second late. A fetch of all partitions returns as
# soon as there is anything, so that one may wait: an idle system must not ask 50 times a second.
_FETCH_WAIT_MS = 20
_WHOLE_FETCH_WAIT_MS = 500
_FETCH_BYTES = 8 * 1024 * 1024
_PARTITION_FETCH_BYTES = 2 * 1024 * 1024  # a topic takes messages up to 1 MiB
_DRAIN_ON_REVOKE = 20.0  # seconds

os.environ["FASTSTREAM_SUPERVISOR_DISABLED"] = "1"  # a dead loop must end the process, not respin


async def _parse(records: tuple[Any, ...], original_parser: Any) -> Any:
    """Let FastStream build its message from one clean record, then hand over the real ones."""
    message = await original_parser((_without_headers(records[0]),))
    message.raw_message = records
    return message


def _without_headers(record: Any) -> Any:
    return replace(record, headers=(), value=b"")


async def _pass_through(message: Any) -> Any:
    return message


def _wait_longer_for_whole_fetches(fetcher: Any) -> None:
    """Let a fetch that leaves no partition out wait for longer (a test watches these privates)."""
    requests_of = fetcher._get_actions_per_node

    def requests(assignment: Any) -> Any:
        leaves_some_out = bool(fetcher._records)
        fetcher._fetch_max_wait_ms = _FETCH_WAIT_MS if leaves_some_out else _WHOLE_FETCH_WAIT_MS
        return requests_of(assignment)

    fetcher._get_actions_per_node = requests


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked:
            await self._worker.drain(_DRAIN_ON_REVOKE)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        # No heartbeats go out while this runs, and records may come before it returns.
        self._worker.assigned(assigned)


class Consumer:
    """One processor's batch subscriber."""

    def __init__(self, bootstrap: str, worker: Worker) -> None:
        self._worker = worker
        self._health = worker.scope.health
        prefix = worker.scope.prefix
        self._stopping = False
        self._loop_name = f"{worker.processor.name} consumer"
        self._broker = KafkaBroker(
            bootstrap.split(","),
            client_id=worker.processor.name,
            apply_types=False,
            allow_auto_create_topics=False,
            logger=None,
            graceful_timeout=_DRAIN_ON_REVOKE + 5,
        )
        self._subscriber = self._broker.subscriber(
            *(f"{prefix}{topic}" for topic in worker.processor.topics),
            group_id=f"{prefix}{worker.processor.name}",
            batch=True,
            max_records=MAX_RECORDS,
            batch_timeout_ms=_POLL_MS,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            session_timeout_ms=int(worker.scope.session_timeout * 1000),
            heartbeat_interval_ms=int(worker.scope.session_timeout * 1000 / _HEARTBEATS),
            rebalance_timeout_ms=_REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=_MAX_POLL_INTERVAL_MS,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            fetch_max_bytes=_FETCH_BYTES,
            max_partition_fetch_bytes=_PARTITION_FETCH_BYTES,
            partition_assignment_strategy=(RangePartitionAssignor,),
            isolation_level="read_committed",
            listener=_Listener(worker),
            parser=_parse,
            decoder=_pass_through,
            no_reply=True,
        )
        self._subscriber(self._handle)

    async def _handle(self, message: Any) -> None:
        await self._worker.handle(message.raw_message)

    async def run(self) -> None:
        """Connect, waiting for Kafka if it is not there, and consume; ends when a loop dies."""
        while not self._stopping and not await self._starts():  # noqa: ASYNC110 - a pause, no poll
            await asyncio.sleep(1.0)
        await asyncio.wait(self.loops(), return_when=asyncio.FIRST_COMPLETED)

    async def _starts(self) -> bool:
        try:
            await self._start()
        except (KafkaError, OSError):
            await self._broker.stop()
            return False
        return True

    async def _start(self) -> None:
        original = self._subscriber._outer_config.builder

        def build(**settings: Any) -> Any:
            consumer = original(**settings)
            self._worker.attach(consumer)
            start, poll = consumer.start, consumer.getmany

            async def patient_start() -> None:
                await start()
                _wait_longer_for_whole_fetches(consumer._fetcher)

            async def getmany(**options: Any) -> Any:
                self._health.tick(self._loop_name)
                try:
                    return await poll(**options | {"timeout_ms": _IDLE_POLL_MS})
                except UnicodeDecodeError:
                    self._worker.scope.log.warning(
                        "a header's name is not UTF-8: reading slowly from now on",
                        processor=self._worker.processor.name,
                    )
                    await read_leniently(consumer)
                    return {}

            consumer.start, consumer.getmany = patient_start, getmany
            return consumer

        self._subscriber._outer_config.builder = build
        try:
            await self._broker.start()
        finally:
            self._subscriber._outer_config.builder = original

    def loops(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that consume; one that ends means that nothing is consumed any more."""
        return list(self._subscriber.tasks)

    async def stop(self) -> None:
        """Stop polling and leave the group."""
        self._stopping = True
        self._health.forget(self._loop_name)
        await self._broker.stop()
