"""From a webhook to the timeline and to an offer, under half of what the system can take.

All four services run as processes, as `throughline up` starts them. First a closed loop finds the
rate at which messages come through to the timeline; then half of it is sent at an even pace and
each message is timed from its request to its timeline entry, and to its offer, both as seen by
another reader of MongoDB (change streams).
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from deploy.local.stack import Stack
from deploy.sample.send import FOLDER as SAMPLE
from deploy.up import SERVICES, LocalRun
from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.channels import ChannelsPolicy
from services.ingest.parse import parse_payload
from services.routing.commands import command
from services.routing.domain.case import case_id_of
from shared.clock import to_milliseconds
from shared.events.routing import OfferAnswered, WorkItemFinished
from shared.ids import KeyedIds, derived_id
from shared.mongo import Database
from shared.policy import load_policy
from shared.streams import Publisher
from tests.benchmarks.report import Figure, figure

AGENTS = 40
_CAPACITY = 1_000  # units each: offers are timed, not waiting for capacity
_FIND_RATE_WITH = 1_000  # messages
_SECONDS = 10  # per round at half load
_CONNECTIONS = 16
_SETTLE = 60.0
_BOUND_MB = 150.0
_P99 = 0.99


async def run(stack: Stack, rounds: int) -> list[Figure]:
    """Measure latencies at half load and the memory of each service afterwards."""
    with LocalRun(stack, edit_policy=_long_leases) as local:
        await asyncio.to_thread(local.start)
        async with _Probe.open(local) as probe:
            await probe.declare_agents()
            await probe.find_rate()  # warms up: Kafka's JVM compiles, caches fill
            await probe.finish_work()
            rate = await probe.find_rate()
            await probe.finish_work()
            half = rate / 2
            print(f"  through to the timeline: {rate:,.0f}/s; half load: {half:,.0f}/s", flush=True)
            timelines, offers = [], []
            for number in range(rounds):
                timeline, offer = await probe.measure(half)
                await probe.finish_work()
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


def _long_leases(policy: Path) -> None:
    """Let offers stand for an hour: here nobody answers them, and re-offering is not measured."""
    routing = policy / "routing.yaml"
    routing.write_text(routing.read_text().replace("lease_seconds: 30", "lease_seconds: 3600"))


def _at_most(name: str, rounds: list[float], target: float, unit: str, against: str) -> Figure:
    return figure(name, rounds, unit=unit, target=target, direction="max", against=against)


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return kilobytes / 1024


@dataclass(frozen=True, slots=True)
class _Message:
    """A signed request, and the conversation it is going to open."""

    conversation: str
    body: bytes
    headers: dict[str, str]


class WhatsAppMessages:
    """Makes WhatsApp messages, each of a new customer, signed as Meta signs."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secret = secrets["WHATSAPP_APP_SECRET"].encode()
        self._ids = KeyedIds(secrets["THROUGHLINE_ID_KEY"])
        self._payload = json.loads((SAMPLE / "whatsapp.json").read_text())
        policy = load_policy(Path("deploy/policy/channels.yaml"), ChannelsPolicy).content
        entry = policy.channel_account("whatsapp", "main")
        assert entry is not None
        self._account = ChannelAccount("whatsapp", "main", {}, entry.options)
        self._made = 0

    def make(self, number: int) -> list[_Message]:
        """Return that many messages."""
        return [self._one() for _ in range(number)]

    def signed(self, number: int) -> list[tuple[bytes, dict[str, str]]]:
        """Return that many requests: body and headers."""
        return [(one.body, one.headers) for one in self.make(number)]

    def _one(self) -> _Message:
        self._made += 1
        number, now = f"{self._made:09}", datetime.now(UTC)
        value = self._payload["entry"][0]["changes"][0]["value"]
        customer = {"wa_id": f"386{number}", "user_id": f"SI.{number}"}
        value["contacts"][0].update(customer)
        value["messages"][0].update(
            {"id": f"wamid.{number}", "from": customer["wa_id"]},
            from_user_id=customer["user_id"],
            timestamp=str(int(now.timestamp())),
        )
        body = json.dumps(self._payload).encode()
        (event,) = parse_payload("whatsapp", self._account, body, now, self._ids)
        signature = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        return _Message(event.partitionkey, body, headers)


class _Probe:
    """Sends messages, and sees when each is on the timeline and offered."""

    def __init__(self, local: LocalRun, client: httpx.AsyncClient) -> None:
        self._client, self._places = client, local.places()
        self._messages = WhatsAppMessages(local.secrets)
        self._sent: dict[str, float] = {}
        self._on_timeline: dict[str, float] = {}
        self._offered: dict[str, float] = {}
        self._offers: list[dict[str, Any]] = []
        self._routing = Database(local.stack.mongodb_uri, "throughline-routing")
        self._publisher = Publisher(local.stack.kafka_bootstrap)

    @classmethod
    @asynccontextmanager
    async def open(cls, local: LocalRun) -> AsyncIterator["_Probe"]:
        """Watch the timeline and the offers while the block runs."""
        limits = httpx.Limits(max_connections=_CONNECTIONS * 4)
        mongodb = local.stack.mongodb_uri
        profile = Database(mongodb, "throughline-profile")
        async with httpx.AsyncClient(limits=limits, timeout=20.0) as client:
            probe = cls(local, client)
            watchers = [
                asyncio.create_task(probe._watch_timeline(profile)),
                asyncio.create_task(probe._watch_offers(probe._routing)),
            ]
            await probe._publisher.start()
            await asyncio.sleep(1.0)  # both streams are open by then
            try:
                yield probe
            finally:
                for watcher in watchers:
                    watcher.cancel()
                await probe._publisher.stop()
                profile.close()
                probe._routing.close()

    async def _watch_timeline(self, database: Database) -> None:
        async for entry in database.watch("timeline"):
            if entry["kind"] == "message.received":
                self._on_timeline.setdefault(entry["conversation_id"], time.perf_counter())

    async def _watch_offers(self, database: Database) -> None:
        async for item in database.watch("assignments"):
            self._offered.setdefault(item["work_item_id"], time.perf_counter())
            self._offers.append(item)

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

    async def finish_work(self) -> None:
        """Let the agents accept and complete all they were offered, as they would in a day."""
        now = to_milliseconds(datetime.now(UTC))
        accepted, finished = [], []
        for item in self._offers:
            who = {"agent_id": item["agent_id"], "pool": "default"}
            answer = {**who, "offer_id": item["_id"], "answer": "accept"}
            done = {**who, "work_item_id": item["work_item_id"]}
            accepted.append(command(OfferAnswered, f"a-{item['_id']}", answer, now, "/bench"))
            finished.append(command(WorkItemFinished, f"f-{item['_id']}", done, now, "/bench"))
        self._offers.clear()
        await self._publisher.publish(accepted)
        await self._publisher.publish(finished)
        async with asyncio.timeout(_SETTLE):
            while await self._routing.count(  # noqa: ASYNC110 - another process makes it zero
                "assignments", {"active": True}
            ):
                await asyncio.sleep(0.1)

    async def _send(self, message: _Message) -> None:
        self._sent[message.conversation] = time.perf_counter()
        url = f"{self._places.ingest}/hooks/whatsapp/main"
        answer = await self._client.post(url, content=message.body, headers=message.headers)
        answer.raise_for_status()

    async def find_rate(self) -> float:
        """Return how many messages a second come through when sent as fast as they are taken."""
        left = iter(self._messages.make(_FIND_RATE_WITH))
        started = time.perf_counter()

        async def sender() -> None:
            for message in left:
                await self._send(message)

        await asyncio.gather(*(sender() for _ in range(_CONNECTIONS)))
        await self._until_all_are_seen()
        return _FIND_RATE_WITH / (time.perf_counter() - started)

    async def measure(self, rate: float) -> tuple[float, float]:
        """Send at an even pace; return the p99 to the timeline and to an offer, in seconds."""
        for seen in (self._sent, self._on_timeline, self._offered):
            seen.clear()
        messages = self._messages.make(int(rate * _SECONDS))
        begin = time.perf_counter()
        tasks = []
        for number, message in enumerate(messages):
            await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(self._send(message)))
        await asyncio.gather(*tasks)
        await self._until_all_are_seen()
        offered = {c: self._offered[_work_item(c)] for c in self._sent}
        return self._p99(self._on_timeline), self._p99(offered)

    def _p99(self, seen: Mapping[str, float]) -> float:
        waits = sorted(seen[conversation] - sent for conversation, sent in self._sent.items())
        return waits[int(len(waits) * _P99)]

    async def _until_all_are_seen(self) -> None:
        async with asyncio.timeout(_SETTLE):
            while not self._all_are_seen():  # noqa: ASYNC110 - other processes make it true
                await asyncio.sleep(0.01)

    def _all_are_seen(self) -> bool:
        return (
            len(self._offered) >= len(self._sent)
            and self._on_timeline.keys() >= self._sent.keys()
            and all(_work_item(conversation) in self._offered for conversation in self._sent)
        )


def _work_item(conversation: str) -> str:
    """Return the id of the work item that a conversation's first case gets."""
    return derived_id("work", case_id_of(conversation, 0))
