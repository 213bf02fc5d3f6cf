"""From a webhook to the timeline and to an offer, under half of what the system can take.

All four services run as processes, as `throughline up` starts them. First a closed loop finds the
rate at which messages come through to the timeline; then half of it is sent at an even pace and
each message is timed from its request to its timeline entry, and to its offer, both as seen by
another reader of MongoDB (change streams).
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.local.stack import Stack
from deploy.sample.send import whatsapp_request
from deploy.up import SERVICES, LocalRun
from shared.mongo import Database
from tests.benchmarks.report import Figure, figure

AGENTS = 20
_CAPACITY = 10_000  # units each: offers are timed, not waiting
_FIND_RATE_WITH = 1_500  # messages
_SECONDS = 10  # per round at half load
_CONNECTIONS = 16
_SETTLE = 60.0
_BOUND_MB = 150.0
_P99 = 0.99


async def run(stack: Stack, rounds: int) -> list[Figure]:
    """Measure latencies at half load and the memory of each service afterwards."""
    with LocalRun(stack) as local:
        await asyncio.to_thread(local.start)
        async with _Probe.open(local) as probe:
            await probe.declare_agents()
            rate = await probe.find_rate()
            half = rate / 2
            print(f"  through to the timeline: {rate:,.0f}/s; half load: {half:,.0f}/s", flush=True)
            timelines, offers = [], []
            for number in range(rounds):
                timeline, offer = await probe.measure(half)
                timelines.append(timeline * 1000)
                offers.append(offer * 1000)
                print(
                    f"  round {number + 1}: p99 to the timeline {timelines[-1]:.0f} ms, "
                    f"to an offer {offers[-1]:.0f} ms",
                    flush=True,
                )
            memory = {name: _resident_mb(local.pid(name)) for name in SERVICES}
    against = f"p99 of {_SECONDS} s at {half:.0f} webhooks/s, half of what came through at once"
    found = [
        _at_most("webhook_to_timeline", timelines, 250.0, "ms", against),
        _at_most("webhook_to_offer", offers, 150.0, "ms", against),
    ]
    for name, megabytes in memory.items():
        found.append(
            _at_most(f"memory_{name}", [megabytes], _BOUND_MB, "MB", "resident, after that load")
        )
    return found


def _at_most(name: str, rounds: list[float], target: float, unit: str, against: str) -> Figure:
    return figure(name, rounds, unit=unit, target=target, direction="max", against=against)


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return kilobytes / 1024


class _Probe:
    """Sends signed WhatsApp messages, and sees when each is on the timeline and offered."""

    def __init__(self, local: LocalRun, client: httpx.AsyncClient) -> None:
        self._local, self._client = local, client
        self._places = local.places()
        self._sent: dict[str, float] = {}
        self._on_timeline: dict[str, float] = {}
        self._offered: dict[str, float] = {}
        self._next = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, local: LocalRun) -> AsyncIterator["_Probe"]:
        """Watch the timeline and the offers while the block runs."""
        limits = httpx.Limits(max_connections=_CONNECTIONS * 4)
        mongodb = local.stack.mongodb_uri
        profile, routing = (Database(mongodb, f"throughline-{n}") for n in ("profile", "routing"))
        async with httpx.AsyncClient(limits=limits, timeout=20.0) as client:
            probe = cls(local, client)
            watchers = [
                asyncio.create_task(probe._watch_timeline(profile)),
                asyncio.create_task(probe._watch_offers(routing)),
            ]
            await asyncio.sleep(1.0)  # both streams are open
            try:
                yield probe
            finally:
                for watcher in watchers:
                    watcher.cancel()
                profile.close()
                routing.close()

    async def _watch_timeline(self, database: Database) -> None:
        async for entry in database.watch("timeline"):
            if entry["kind"] == "message.received":
                self._on_timeline.setdefault(entry["conversation_id"], time.perf_counter())

    async def _watch_offers(self, database: Database) -> None:
        async for offer in database.watch("assignments"):
            conversation = offer["about"]["conversation_id"]
            self._offered.setdefault(conversation, time.perf_counter())

    async def declare_agents(self) -> None:
        """Declare agents with room for everything, so that each item is offered at once."""
        for number in range(AGENTS):
            agent = {
                "name": f"Agent {number}",
                "pool": "default",
                "skills": ["orders", "complaints"],
                "capacity_units": _CAPACITY,
                "status": "available",
            }
            url = f"{self._places.routing}/v1/agents/bench-{number}"
            (await self._client.put(url, json=agent)).raise_for_status()

    async def _send(self) -> str:
        """Send one message of a new customer; return its conversation's key once known."""
        self._next += 1
        customer = f"{self._next:09}"
        body, headers = whatsapp_request(
            self._local.secrets["WHATSAPP_APP_SECRET"], customer, int(time.time())
        )
        started = time.perf_counter()
        url = f"{self._places.ingest}/hooks/whatsapp/main"
        (await self._client.post(url, content=body, headers=headers)).raise_for_status()
        self._sent[customer] = started
        return customer

    async def find_rate(self) -> float:
        """Return how many messages a second come through when sent as fast as they are taken."""
        before, started = len(self._on_timeline), time.perf_counter()
        left = iter(range(_FIND_RATE_WITH))

        async def sender() -> None:
            for _ in left:
                await self._send()

        await asyncio.gather(*(sender() for _ in range(_CONNECTIONS)))
        await self._until(lambda: len(self._on_timeline) - before >= _FIND_RATE_WITH)
        rate = _FIND_RATE_WITH / (time.perf_counter() - started)
        await self._until(lambda: len(self._offered) >= len(self._on_timeline))
        return rate

    async def measure(self, rate: float) -> tuple[float, float]:
        """Send at an even pace; return the p99 to the timeline and to an offer, in seconds."""
        self._sent.clear()
        self._on_timeline.clear()
        self._offered.clear()
        number = int(rate * _SECONDS)
        begin = time.perf_counter()
        tasks = []
        for n in range(number):
            await asyncio.sleep(max(0.0, begin + n / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(self._send()))
        await asyncio.gather(*tasks)
        await self._until(lambda: len(self._offered) >= number)
        await self._until(lambda: len(self._on_timeline) >= number)
        return self._p99(self._on_timeline), self._p99(self._offered)

    def _p99(self, seen: dict[str, float]) -> float:
        """Match by order of arrival: conversations are named by ingest, not by us."""
        sent, arrived = sorted(self._sent.values()), sorted(seen.values())
        waits = sorted(a - s for s, a in zip(sent, arrived, strict=True))
        return waits[int(len(waits) * _P99)]

    async def _until(self, done: Any) -> None:
        async with asyncio.timeout(_SETTLE):
            while not done():  # noqa: ASYNC110 - what is awaited is another process
                await asyncio.sleep(0.01)


__all__ = ["json", "run"]
