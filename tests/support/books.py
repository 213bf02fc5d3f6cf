"""Auditing the ledger: load while something breaks, and afterwards every effect exactly once."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from pymongo.errors import PyMongoError

from shared.events import Event, encode
from shared.events.topics import HOME
from shared.mongo import Database
from tests.support.builders import a_message_received
from tests.support.deployment import Deployment, eventually
from tests.support.kafka import read_events


def messages(count: int, *, first: int = 0, conversations: int = 8) -> list[Event]:
    """Return messages with ids of their own, spread over some conversations."""
    return [
        a_message_received(f"conv_{n % conversations}", event_id=f"evt_{n}")
        for n in range(first, first + count)
    ]


class Load:
    """Messages published at a steady rate, through Kafka's absence too, while the block runs.

    `events` are those published so far; after the block Kafka has acknowledged all of them.
    """

    def __init__(self, deployment: Deployment, *, per_second: float = 60.0) -> None:
        self._deployment, self._pause = deployment, 1 / per_second
        self._stop = asyncio.Event()
        self.events: list[Event] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        if kind is not None:
            self._task.cancel()  # the test has failed: Kafka may be away for good
            await asyncio.wait([self._task], timeout=5.0)
        else:
            await self._task

    async def _run(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._deployment.kafka, acks="all", enable_idempotence=True
        )
        await producer.start()
        try:
            while not self._stop.is_set():
                (event,) = messages(1, first=len(self.events))
                topic = f"{self._deployment.prefix}{HOME[event.type].name}"
                with contextlib.suppress(KafkaTimeoutError):  # its buffer is full: try again
                    await producer.send(topic, encode(event), key=event.partitionkey.encode())
                    self.events.append(event)
                await asyncio.sleep(self._pause)
            await producer.flush()
        finally:
            await producer.stop()


async def pages(database: Database) -> dict[str, Any]:
    """Return what the ledger holds by page: how often each event was applied and fired."""
    found = await database.find("pages", {})
    return {
        page["_id"]: {"applied": page["applied"], "fired": page["fired"]}
        for page in sorted(found, key=lambda page: str(page["_id"]))
    }


async def applied(database: Database) -> int:
    """Return how many events the ledger has applied, 0 while MongoDB does not answer."""
    try:
        return sum(len(page["applied"]) for page in (await pages(database)).values())
    except PyMongoError:
        return 0


async def assert_every_effect_once(
    deployment: Deployment, events: Sequence[Event], seconds: float = 45.0
) -> None:
    """Wait until everything is noted and published; nothing may be missing or doubled."""
    database = deployment.database("ledger")
    wanted = Counter({event.id: 1 for event in events})

    async def missing() -> dict[str, Any]:
        try:
            found = (await pages(database)).values()
            waiting = await database.find("outbox", {})
        except PyMongoError as error:
            return {"an answer": type(error).__name__}
        return {
            what: rest
            for what, rest in {
                "applied": wanted.keys() - {event for page in found for event in page["applied"]},
                "fired": wanted.keys() - {event for page in found for event in page["fired"]},
                "published": [parcel["_id"] for parcel in waiting],
            }.items()
            if rest
        }

    async def complete() -> bool:
        return not await missing()

    try:
        await eventually(complete, f"all {len(wanted)} events are noted and published", seconds)
        found = (await pages(database)).values()
    except AssertionError:
        raise AssertionError(f"still missing: {await missing()}") from None
    finally:
        database.close()
    assert Counter({k: v for page in found for k, v in page["applied"].items()}) == wanted
    assert Counter({k: v for page in found for k, v in page["fired"].items()}) == wanted
    published = await read_events(deployment.kafka, deployment.prefix, "routing-events")
    assert {event.causationid for event in published} == set(wanted)
    assert len({event.id for event in published}) == 2 * len(wanted)  # the event's and its timer's
