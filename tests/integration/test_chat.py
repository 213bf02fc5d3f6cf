"""Web chat through real processes, Kafka and MongoDB: to the timeline and back to the widget."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from deploy.local.ports import free_port
from services.ingest.chat.live import ChatLive
from services.ingest.chat.store import CHAT_COLLECTIONS, CHAT_MESSAGES, ChatStore, Entry
from services.ingest.domain.chat import Tail, session_id
from services.ingest.senders.contract import Refused, Sent
from shared.mongo import Database
from tests.support.builders_ingest import API_KEY, NOW, Fakes, StoppedClock
from tests.support.chat import Visitor, reply
from tests.support.deployment import Deployment, Running, eventually

SESSION = f"chat_{'0' * 32}"
POLICY = """\
version: 1
channel_accounts:
  - provider: webchat
    account: main
    options: {origins: https://shop.example.com}
api_keys:
  - {integrator: demo-shop, prefix: demo, sha256: env:KEY_SHA256}
"""


@pytest.fixture
async def database(mongodb: str) -> AsyncIterator[Database]:
    database = Database(mongodb, f"chat-{uuid4().hex[:8]}")
    await database.ensure(CHAT_COLLECTIONS)
    yield database
    await database.client.drop_database(database.name)
    database.close()


def said(tail: Tail, number: int) -> Entry:
    return Entry(
        session=SESSION,
        id=f"said-{number}",
        seq=tail.seq + 1,
        interaction=1,
        open=True,
        kind="message",
        sender="visitor",
        at=NOW,
        text=str(number),
    )


async def test_what_is_said_at_once_by_several_processes_is_numbered_without_gaps(
    database: Database,
) -> None:
    stores = [ChatStore(database, StoppedClock()) for _ in range(3)]
    await asyncio.gather(
        *(
            stores[number % 3].append(SESSION, lambda tail, n=number // 2: said(tail, n))
            for number in range(12)
        )
    )
    entries = await stores[0].after(SESSION, 0)
    assert [entry.seq for entry in entries] == list(range(1, 7))
    assert sorted(entry.text for entry in entries) == list("012345")
    assert await stores[0].tail(SESSION) == Tail(6, 1, True, NOW)


async def test_a_reply_is_kept_once_and_only_for_a_session_there_is(database: Database) -> None:
    store = ChatStore(database, StoppedClock())
    assert isinstance(await store.deliver(reply(SESSION, "Anybody?")), Refused)
    await store.append(SESSION, lambda tail: said(tail, 1))
    for _ in range(2):
        assert await store.deliver(reply(SESSION, "Good day", reply_id="r1")) == Sent("r1")
    assert [entry.sender for entry in await store.after(SESSION, 0)] == ["visitor", "agent"]


async def test_from_when_it_is_told_so_a_stream_misses_nothing(database: Database) -> None:
    store, live = ChatStore(database, StoppedClock()), ChatLive(database, Fakes().meter)
    looks: asyncio.Queue[None] = asyncio.Queue()
    with live.listen(SESSION, lambda: looks.put_nowait(None)):
        running = asyncio.create_task(live.run())
        async with asyncio.timeout(10):
            await looks.get()  # it is open
            await store.append(SESSION, lambda tail: said(tail, 1))
            await looks.get()
        running.cancel()


@dataclass
class Ingest:
    """One ingest process and its port."""

    process: Running
    port: int

    @property
    def url(self) -> str:
        """Return the address of its sockets."""
        return f"ws://127.0.0.1:{self.port}/chat/main/socket"


async def start_ingest(deployment: Deployment, policy: Path) -> Ingest:
    port = free_port()
    process = deployment.start(
        "deploy.cli ingest",
        service="ingest",
        KEY_SHA256=hashlib.sha256(API_KEY.encode()).hexdigest(),
        THROUGHLINE_POLICY=str(policy),
        THROUGHLINE_INGEST_PORT=str(port),
        THROUGHLINE_INGEST_SMTP_PORT=str(free_port()),
        THROUGHLINE_INGEST_LMTP_PORT=str(free_port()),
    )
    return Ingest(process, port)


async def is_ready(process: Running) -> bool:
    return (await process.get("/health/ready"))[0] == 200


async def timeline(database: Database) -> list[Any]:
    found = await database.find("timeline", {"channel": {"$eq": "chat"}})
    return sorted(entry["kind"] for entry in found)


@pytest.mark.timeout(180)
async def test_a_chat_reaches_the_timeline_and_its_answer_the_widget_whichever_process_it_is_at(
    deployment: Deployment, tmp_path: Path
) -> None:
    policy = tmp_path / "policy"
    policy.mkdir()
    (policy / "channels.yaml").write_text(POLICY)
    first, second = [await start_ingest(deployment, policy) for _ in range(2)]
    profile = deployment.start("deploy.cli profile")
    for one in (first.process, second.process, profile):
        await eventually(lambda one=one: is_ready(one), f"ready: {one.log.read_text()}")

    visitor = Visitor(first)
    await visitor.connect()
    await visitor.say("Where is my parcel?")
    await visitor.until(1)
    assert not visitor.outbox
    known = deployment.database("profile")

    async def arrived() -> bool:
        return len(await timeline(known)) == 2

    await eventually(arrived, "the message and the interaction are on the timeline")
    assert await timeline(known) == ["interaction.started", "message.received"]

    (entry,) = await known.find("timeline", {"kind": {"$eq": "message.received"}})
    address = f"http://127.0.0.1:{second.port}/v1/conversations/{entry['conversation_id']}/replies"
    headers = {"Authorization": f"Bearer {API_KEY}", "Idempotency-Key": "one"}
    async with httpx.AsyncClient(headers=headers) as http:

        async def taken() -> bool:
            answer = await http.post(address, json={"text": "It is near you.", "sender": "agent"})
            return answer.status_code == 202

        await eventually(taken, "the reply is taken")
    await visitor.until(2)
    assert visitor.texts() == ["Where is my parcel?", "It is near you."]

    async def answered() -> bool:
        return "message.sent" in await timeline(known)

    await eventually(answered, "the reply is on the timeline")

    first.process.process.terminate()
    assert await visitor.closed(20) == 1012
    assert visitor.others[-1]["type"] == "moving"
    assert await first.process.ended() == 0
    visitor.house = second
    welcome = await visitor.connect()
    assert (welcome["resumed"], welcome["after"]) == (True, 2)
    await visitor.say("Thank you!")
    await visitor.until(3)
    ours = deployment.database("ingest")
    kept = await ours.find(CHAT_MESSAGES, {}, sort=[("seq", 1)])
    assert [one["text"] for one in kept] == visitor.texts()
    assert visitor.token is not None
    assert {one["session"] for one in kept} == {session_id("main", visitor.token)}
    for database in (known, ours):
        database.close()
