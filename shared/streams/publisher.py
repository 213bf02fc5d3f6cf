"""Publishing: many callers, one record batch per partition and flush, one acknowledgement.

While one flush is on its way everything new gathers for the next, so the rate adapts by itself:
a single event goes out at once, a thousand callers share one request. A partition's events leave
in the order they were given.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.errors import ThroughlineError, Unavailable
from shared.events import Event, encode
from shared.events.topics import DEAD_LETTER_TOPIC, HOME, Topic
from shared.streams.sending import Given, Outgoing, RecordBatch, Sending, failure

_REQUEST_TIMEOUT_MS = 8_000  # below ACK_TIMEOUT, so that a batch expires before its waiter does
ACK_TIMEOUT = 10.0  # seconds: a provider hangs up after 10 to 15
_MAX_BATCH = 256 * 1024
_ENVELOPE_ROOM = 1_024  # bytes of key, headers and record overhead


class EventTooLarge(ThroughlineError):
    """An event is larger than its topic takes; it can never be published."""


class NotAProducer(ThroughlineError):
    """A service tried to publish what the topic catalogue does not let it write."""


def outgoing(event: Event) -> Outgoing:
    """Return the record an event becomes on its home topic.

    Raises `EventTooLarge` when the topic would not take it.
    """
    topic = HOME[event.type]
    value = encode(event)
    if len(value) + _ENVELOPE_ROOM > topic.max_message_bytes:
        raise EventTooLarge(
            f"An event of type {event.type} has {len(value)} bytes; "
            f"{topic.name} takes {topic.max_message_bytes}.",
            "Keep large content apart and refer to it.",
        )
    return Outgoing(topic.name, event.partitionkey.encode(), value)


class Publisher:
    """Sends events to Kafka and says when they are safe (acks=all).

    Idempotence of the producer is off: with it `send` would wait for ever while Kafka is away.
    A repeated event has the same id, so readers absorb it (docs/adr/0004). A `service` may publish
    only to topics that name it as a producer in the catalogue; without one everything goes.
    """

    def __init__(self, bootstrap: str, prefix: str = "", service: str = "") -> None:
        self._bootstrap = bootstrap
        self._service = service
        self._prefix = prefix
        self._producer: Any = None
        self._waiting: dict[asyncio.Future[None], Sequence[Outgoing]] = {}
        self._wake = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None
        self.failures = 0

    async def start(self) -> asyncio.Task[None]:
        """Connect, in the background if Kafka is not there yet: being up never depends on it.

        Returns the task that publishes; should it end, nothing is published any more.
        """
        self._flusher = asyncio.create_task(self._run(), name="publisher")
        return self._flusher

    async def stop(self) -> None:
        """Send what waits, then disconnect."""
        if self._flusher is not None:
            self._flusher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._flusher
        if self._waiting and self._producer is not None:
            with contextlib.suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(ACK_TIMEOUT):
                    await self._flush()
        if self._producer is not None:
            await self._producer.stop()

    async def publish(self, events: Iterable[Event]) -> None:
        """Send events to their home topics; return when Kafka has acknowledged all of them.

        Raises `Unavailable` when it has not in time: then nobody knows whether they arrived, and
        the caller must try again with the same ids. Raises `RefusedForSize` when all have arrived
        but those that Kafka will never take.
        """
        await self.send([self.outgoing(event) for event in events])

    def may_write(self, topic: Topic) -> bool:
        """Tell whether the catalogue lets the service write to a topic."""
        return not self._service or self._service in topic.producers

    def outgoing(self, event: Event) -> Outgoing:
        """Return the record an event becomes on its home topic.

        Raises `NotAProducer`, or `EventTooLarge` when the topic would not take it.
        """
        topic = HOME[event.type]
        if not self.may_write(topic):
            raise NotAProducer(
                f"{self._service} may not write to {topic.name}.",
                "Name it as a producer in shared/events/topics.py, or leave it to who is one.",
            )
        return outgoing(event)

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Send records that are encoded already; as `publish` otherwise."""
        if not records:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[done] = records
        self._wake.set()
        try:
            async with asyncio.timeout(ACK_TIMEOUT):
                await done
        except (TimeoutError, KafkaError) as error:
            self.failures += 1
            raise Unavailable(
                f"Kafka did not acknowledge in time ({type(error).__name__}).",
                "Try again; check THROUGHLINE_KAFKA if this goes on.",
            ) from None
        finally:
            self._waiting.pop(done, None)  # or an outage would gather what nobody waits for

    async def _run(self) -> None:
        self._producer = await self._connect()
        while True:
            await self._wake.wait()
            await self._flush()

    async def _connect(self) -> Any:
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks="all",
                enable_idempotence=False,
                max_batch_size=_MAX_BATCH,
                max_request_size=DEAD_LETTER_TOPIC.max_message_bytes,
                request_timeout_ms=_REQUEST_TIMEOUT_MS,
            )
            try:
                await producer.start()
            except (KafkaError, OSError):
                await producer.stop()
                await asyncio.sleep(0.5)
            else:
                return producer

    async def _flush(self) -> None:
        self._wake.clear()
        waiting = [(records, done) for done, records in self._waiting.items() if not done.done()]
        self._waiting.clear()
        given = [
            Given(record, number)
            for number, (records, _) in enumerate(waiting)
            for record in records
        ]
        try:
            batches = await Sending(self._producer, self._prefix).answered(given)
        except (KafkaError, OSError) as error:
            for _, done in waiting:
                _settle(done, error)
            return
        failed: dict[int, list[RecordBatch]] = {}
        for batch in batches:
            if batch.error is not None:
                for number in {one.number for one in batch.given}:
                    failed.setdefault(number, []).append(batch)
        for number, (_, done) in enumerate(waiting):
            _settle(done, failure(failed.get(number, ()), number))


def _settle(done: asyncio.Future[None], error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
