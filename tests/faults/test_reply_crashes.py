"""Killed at any point of a reply's way out and started again: sent at most once, and told."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.ports import free_port
from services.ingest.store import COLLECTIONS, CONVERSATIONS, REPLIES, conversation_document
from shared.events import Event
from shared.mongo import Database
from shared.streams.crash import REPLY_LABELS
from tests.support.builders_outbox import (
    KEY,
    SECRETS,
    WHATSAPP,
    channels,
    conversation,
    from_whatsapp,
    write_policy,
)
from tests.support.deployment import Deployment, Running, eventually
from tests.support.kafka import read_events
from tests.support.provider_stub import ProviderStub, provider_stub, whatsapp_takes_it

NOW = datetime.now(UTC).replace(microsecond=0)

# what is left of a reply after the crash: its final state, and how often the provider was called
LEFT = {
    "reply-stored": ("sent", 1),
    "reply-claimed": ("sent", 1),
    "reply-marked": ("unknown", 0),
    "reply-called": ("unknown", 1),
    "reply-settled": ("sent", 1),
    "reply-published": ("sent", 1),
}


@dataclass
class House:
    """An ingest that can be killed, its database and its provider."""

    deployment: Deployment
    provider: ProviderStub
    database: Database
    policy: str
    port: int = 0

    async def start(self, **more: str) -> Running:
        """Start ingest; return when it answers."""
        self.port = free_port()
        running = self.deployment.start(
            "deploy.cli ingest",
            service="ingest",
            **{
                **SECRETS,
                "THROUGHLINE_POLICY": self.policy,
                "THROUGHLINE_INGEST_PORT": str(self.port),
                "THROUGHLINE_INGEST_SMTP_PORT": str(free_port()),
                "THROUGHLINE_INGEST_OUTGOING_ALLOW": self.provider.place,
                **more,
            },
        )

        async def answers() -> bool:
            return (await running.get("/health/ready"))[0] == 200

        await eventually(answers, f"ingest is ready: {running.log.read_text()}")
        return running

    async def reply(self) -> None:
        """Send a reply; the process may die of it."""
        async with httpx.AsyncClient(timeout=30) as client:
            try:
                answer = await client.post(
                    f"http://127.0.0.1:{self.port}/v1/conversations/{WHATSAPP}/replies",
                    json={"text": "Na poti je.", "sender": "agent"},
                    headers={"Authorization": f"Bearer {KEY}", "Idempotency-Key": "1"},
                )
            except httpx.TransportError:
                return
        assert answer.status_code == 202, answer.text

    async def finished(self) -> dict[str, Any]:
        """Return the reply once everything about it is done."""

        async def done() -> list[dict[str, Any]]:
            return await self.database.find(REPLIES, {"open": False})

        [found] = await eventually(done, "the reply is finished")
        return dict(found)

    async def lease_ends(self) -> None:
        """Let the lease of a process that is gone run out, without waiting for it."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        await self.database.change_one(REPLIES, {"claimed": True}, {"$set": {"lease_until": past}})

    async def told(self) -> list[Event]:
        """Return what is on `contact-events`."""
        return await read_events(self.deployment.kafka, self.deployment.prefix, "contact-events")


@pytest.fixture
async def house(deployment: Deployment, tmp_path: Path) -> AsyncIterator[House]:
    database = deployment.database("ingest")
    await database.ensure(COLLECTIONS)
    await database.insert(CONVERSATIONS, conversation_document(conversation(from_whatsapp(NOW))))
    async with provider_stub(whatsapp_takes_it()) as provider:
        policy = write_policy(tmp_path / "policy", channels(provider.url))
        yield House(deployment, provider, database, policy)
    database.close()


@pytest.mark.parametrize("label", REPLY_LABELS)
async def test_a_process_killed_here_sends_a_reply_at_most_once_and_somebody_is_told(
    house: House, label: str
) -> None:
    crashed = await house.start(THROUGHLINE_CRASH_AT=f"{label}:1")
    await house.reply()
    assert await crashed.ended() == 137, crashed.log.read_text()
    await house.lease_ends()

    restarted = await house.start()
    await house.reply()  # the desktop had no answer, or wants to be sure: it changes nothing
    reply = await house.finished()
    state, calls = LEFT[label]
    assert reply["state"] == state
    assert len(house.provider.asked) == calls
    events = await house.told()
    assert len({event.id for event in events}) == 1
    expected = "message.sent" if state == "sent" else "delivery.changed"
    assert {event.type for event in events} == {f"throughline.{expected}.v1"}
    assert await restarted.stop() == 0, restarted.log.read_text()


async def test_a_process_that_is_told_to_stop_ends_the_call_it_has_begun(house: House) -> None:
    answer = asyncio.Event()
    house.provider.script = [replace(whatsapp_takes_it(), wait=answer)]
    stopping = await house.start()
    await house.reply()

    async def called() -> bool:
        return bool(house.provider.asked)

    await eventually(called, "the call is made")
    stopping.signal(signal.SIGTERM)

    async def draining() -> bool:
        return "draining" in stopping.log.read_text()

    await eventually(draining, "it drains")
    answer.set()
    assert await stopping.ended() == 0, stopping.log.read_text()
    reply = await house.finished()
    assert reply["state"] == "sent"
    assert [event.type for event in await house.told()] == ["throughline.message.sent.v1"]
