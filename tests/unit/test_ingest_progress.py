"""Loops that run for life: each tells that it gets on, and one that hangs is found out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.ingest import smtp, spool
from services.ingest.ami import AmiClient
from services.ingest.chat import server as chat_server
from services.ingest.chat.live import ChatLive
from services.ingest.chat.server import ChatServer
from services.ingest.domain import limits
from services.ingest.replies import outbox
from services.ingest.smtp import MailHandler, serve_mail
from shared.observability import Health, Progress, health
from tests.support.builders_ingest import DOORS, Fakes
from tests.support.chat import soon

Run = Callable[[Progress], Awaitable[None]]


@dataclass
class Hanging:
    """Stands for whatever a loop waits for: it answers, until it hangs."""

    hangs: bool = False
    asked: int = 0
    never: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, value: Any = None) -> Any:
        """Return the value, unless it is time to hang."""
        self.asked += 1
        if self.hangs:
            await self.never.wait()
        await asyncio.sleep(0)
        return value

    # the parts of a database that the loops below ask

    async def size(self, _collection: str) -> tuple[int, int]:
        """Return that the spool is empty."""
        await self.answer()
        return 0, 0

    async def due(self, *_: Any) -> list[Any]:
        """Return that no reply is due."""
        await self.answer()
        return []

    async def watch(
        self, _collection: str, opened: Callable[[], None], looked: Callable[[], None]
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield nothing, as a change stream where nothing happens."""
        opened()
        while True:
            await self.answer()
            looked()
            await asyncio.sleep(0.01)
        yield {}


def spool_on(store: Any) -> tuple[Run, list[str]]:
    fakes = Fakes()
    kept = spool.Spool(fakes.publisher, store, fakes.clock, fakes.meter, 1)  # type: ignore[arg-type]
    return kept.run, ["spool"]


def outbox_on(store: Any) -> tuple[Run, list[str]]:
    fakes, unused = Fakes(), Any
    box = outbox.Outbox(
        store,
        {},
        unused,  # type: ignore[arg-type]
        fakes.publisher,
        unused,  # type: ignore[arg-type]
        deliver=unused,  # type: ignore[arg-type]
        clock=fakes.clock,
        meter=fakes.meter,
    )
    return box.run, ["outbox"]


def chat_stream_on(store: Any) -> tuple[Run, list[str]]:
    return ChatLive(store, Fakes().meter).run, ["chat stream"]


def asterisk_on(store: Any) -> tuple[Run, list[str]]:
    """Return a client whose pauses hang: it finds no Asterisk, so it makes one after the other."""
    client = AmiClient(
        DOORS["asterisk", "main"], Fakes().intake(), pause=store.answer, chance=lambda: 0.0
    )

    async def nobody() -> None:
        raise ConnectionRefusedError

    client._session = nobody  # type: ignore[method-assign]
    return client.run, ["ami main connection"]


def mail_on(store: Any) -> tuple[Run, list[str]]:
    fakes = Fakes()
    handler = MailHandler(DOORS, fakes.intake())

    async def run(progress: Progress) -> None:
        await serve_mail(handler, "127.0.0.1", {"smtp": 0, "lmtp": 0}, "example.com", progress)

    return run, ["smtp", "lmtp"]


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_PAUSE", 0.01)
    monkeypatch.setattr(outbox, "POLL", 0.01)
    monkeypatch.setattr(chat_server, "_TICK", 0.01)
    monkeypatch.setattr(smtp, "_KNOCK_SECONDS", 0.01)
    monkeypatch.setattr(smtp, "_GREETING_SECONDS", 0.1)
    monkeypatch.setattr(limits, "AMI_SILENCE_SECONDS", 0.01)
    monkeypatch.setattr(health, "STALLED_AFTER", 0.5)


@asynccontextmanager
async def running(run: Run, seen: Health) -> AsyncIterator[None]:
    """Run a loop while the block runs."""

    async def awaited() -> None:
        await run(seen)

    task = asyncio.create_task(awaited())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def ticks_again(seen: Health, loop: str) -> None:
    await soon(lambda: loop in seen._ticks)
    first = seen._ticks[loop]
    await soon(lambda: seen._ticks[loop] > first)


@pytest.mark.parametrize("made", [spool_on, outbox_on, chat_stream_on, asterisk_on])
async def test_a_loop_that_hangs_is_found_out(
    made: Callable[[Any], tuple[Run, list[str]]],
) -> None:
    store, seen = Hanging(), Health(None)
    run, loops = made(store)
    async with running(run, seen):
        for loop in loops:
            await ticks_again(seen, loop)
        store.hangs = True
        await soon(lambda: seen.why_not_live() in [f"{loop} makes no progress" for loop in loops])


async def test_a_mail_door_that_greets_nobody_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Health(None)
    run, loops = mail_on(None)
    async with running(run, seen):
        for loop in loops:
            await ticks_again(seen, loop)
        monkeypatch.setattr(smtp._MailServer, "connection_made", lambda *_: None)
        await soon(lambda: seen.why_not_live() is not None)


async def test_a_chat_server_without_sockets_ticks() -> None:
    seen = Health(None)
    chat = ChatServer(Any, {}, 1)  # type: ignore[arg-type]
    async with running(chat.tend, seen):
        await ticks_again(seen, "chat sockets")


async def test_a_silent_asterisk_is_no_hang() -> None:
    seen = Health(None)
    run, _ = asterisk_on(Hanging())
    async with running(run, seen):
        for _ in range(3):
            await ticks_again(seen, "ami main hand on")


async def test_an_asterisk_that_waits_for_our_stores_is_no_hang_and_loses_nothing() -> None:
    client, seen = AmiClient(DOORS["asterisk", "main"], Fakes().intake(), waiting=1), Health(None)
    client._health = seen
    first, second = (b"Event: Hangup\r\nUniqueid: 1", b"Event: Hangup\r\nUniqueid: 2")
    await client._take(first, "1")
    taking = asyncio.create_task(client._take(second, "2"))
    for _ in range(3):
        await ticks_again(seen, "ami main connection")
    assert not taking.done()
    assert [(await client._waiting.get()).body for _ in range(2)] == [first, second]
    await taking
