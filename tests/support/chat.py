"""A web chat on a real port with everything behind it in memory, and visitors who connect to it."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from services.ingest.app import create_chat
from services.ingest.chat.account import read_chat_accounts
from services.ingest.chat.live import ChatLive
from services.ingest.chat.pages import ChatPages
from services.ingest.chat.presence import Presence
from services.ingest.chat.server import ChatServer
from services.ingest.chat.socket import Chat
from services.ingest.chat.store import CHAT_MESSAGES
from services.ingest.senders.contract import Reply
from shared.errors import Unavailable
from shared.http import create_api
from shared.sockets import socket_options
from tests.support.builders_ingest import DOORS, NOW, Fakes
from tests.support.memory_database import MemoryDatabase

ORIGIN = Origin("https://shop.example.com")
_NUMBERS = itertools.count(1)


class ChatMemory(MemoryDatabase):
    """The histories in memory, with the unique index on numbers; `down` fails as MongoDB does."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False

    async def insert(self, collection: str, document: dict[str, Any]) -> bool:
        """Add a document unless its `_id` or its number in the session is taken."""
        self._require_up()
        if collection == CHAT_MESSAGES and any(
            (one["session"], one["seq"]) == (document["session"], document["seq"])
            for one in self.collections.get(collection, {}).values()
        ):
            return False
        return await super().insert(collection, document)

    async def find(self, *arguments: Any, **more: Any) -> list[dict[str, Any]]:
        """Return the documents that match."""
        self._require_up()
        return await super().find(*arguments, **more)

    async def watch(
        self,
        collection: str,
        opened: Callable[[], None] = lambda: None,
        looked: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield what is inserted from now on."""
        opened()
        async for document in super().watch(collection, looked=looked):
            yield document

    def _require_up(self) -> None:
        if self.down:
            raise Unavailable("MongoDB does not answer.", "Try again.")


@dataclass
class ChatHouse:
    """A running web chat, and what is behind it."""

    fakes: Fakes
    memory: ChatMemory
    chat: Chat
    live: ChatLive
    server: ChatServer
    port: int
    serving: uvicorn.Server

    @property
    def url(self) -> str:
        """Return the address of its sockets."""
        return f"ws://127.0.0.1:{self.port}/chat/main/socket"

    async def reply(self, session: str, text: str, **more: Any) -> Any:
        """Deliver an agent's reply."""
        return await self.chat.store.deliver(reply(session, text, **more))

    def history(self) -> list[dict[str, Any]]:
        """Return everything said, in the order of each session."""
        found = self.memory.collections.get(CHAT_MESSAGES, {}).values()
        return sorted(found, key=lambda one: (one["session"], one["seq"]))


def reply(session: str, text: str, **more: Any) -> Reply:
    """Return an agent's reply to a chat session."""
    given: dict[str, Any] = {
        "reply_id": f"reply-{next(_NUMBERS)}",
        "conversation_id": "conv_1",
        "contact_points": (f"webchat:main/{session}",),
        "sender": "agent",
        "created_at": NOW,
        "reply_to": session,
        **more,
    }
    return Reply(text=text, **given)


@asynccontextmanager
async def chat_house(
    places: int = 100,
    presence: Presence | None = None,
    ping: float = 20.0,
    demo: bool = True,
    per_peer: int = 0,
) -> AsyncIterator[ChatHouse]:
    """Serve a web chat on a free port."""
    fakes, memory = Fakes(), ChatMemory()
    chat, live = create_chat(memory, fakes.intake(), fakes.meter, presence)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    own = f"http://127.0.0.1:{listener.getsockname()[1]}"
    accounts = {
        name: replace(account, origins=account.origins | {own})
        for name, account in read_chat_accounts(DOORS).items()
    }
    server = ChatServer(chat, accounts, places, per_peer)
    app = create_api("chat", "1")
    app.router.routes.extend([*server.routes(), *ChatPages(accounts, demo=demo).routes()])
    config = uvicorn.Config(
        app, log_config=None, lifespan="off", timeout_graceful_shutdown=2, **socket_options(ping)
    )
    serving = uvicorn.Server(config)
    tasks = [
        asyncio.create_task(serving.serve(sockets=[listener])),
        asyncio.create_task(live.run()),
        asyncio.create_task(server.tend()),
    ]
    await memory.watched.wait()
    port = listener.getsockname()[1]
    yield ChatHouse(fakes, memory, chat, live, server, port, serving)
    serving.should_exit = True
    await tasks[0]
    for task in tasks[1:]:
        task.cancel()
    await asyncio.gather(*tasks[1:], return_exceptions=True)


class HasAddress(Protocol):
    """Something with sockets to connect to."""

    @property
    def url(self) -> str:
        """Return the address of its sockets."""
        ...


@dataclass
class Visitor:
    """What a widget does, in Python: keeps what is not acknowledged, and the history it was told.

    It refuses to be told anything twice or out of order.
    """

    house: HasAddress
    token: str | None = None
    told: list[dict[str, Any]] = field(default_factory=list)
    outbox: dict[str, str] = field(default_factory=dict)
    others: list[dict[str, Any]] = field(default_factory=list)
    socket: ClientConnection | None = None
    awaited: str | None = None

    @property
    def last(self) -> int:
        """Return the number of the last entry told."""
        return self.told[-1]["seq"] if self.told else 0

    async def connect(self, last: int | None = None) -> dict[str, Any]:
        """Open a socket, say hello; return the welcome."""
        self.socket = await connect(
            self.house.url, origin=ORIGIN, compression=None, ping_interval=None
        )
        known = self.last if last is None else last
        await self.send(type="hello", token=self.token, last=known, locale="sl-SI")
        welcome = await self.next("welcome")
        self.token = welcome["token"] or self.token
        await self.flush(again=True)
        return welcome

    async def send(self, **frame: Any) -> None:
        """Send a frame."""
        assert self.socket is not None
        await self.socket.send(json.dumps(frame))

    async def say(self, text: str, message_id: str | None = None) -> str:
        """Say something that is kept until it is acknowledged; return its id."""
        message_id = message_id or f"visitor-{next(_NUMBERS)}"
        self.outbox[message_id] = text
        await self.flush()
        return message_id

    async def flush(self, *, again: bool = False) -> None:
        """Send the oldest that is not acknowledged, unless it is on its way on this socket."""
        oldest = next(iter(self.outbox), None)
        if oldest is not None and (again or oldest != self.awaited):
            self.awaited = oldest
            await self.send(type="message", id=oldest, text=self.outbox[oldest])

    async def read(self, seconds: float = 30.0) -> dict[str, Any]:
        """Take in one frame."""
        assert self.socket is not None
        async with asyncio.timeout(seconds):
            frame: dict[str, Any] = json.loads(await self.socket.recv())
        if "seq" in frame and frame["type"] != "ack":
            assert frame["seq"] == self.last + 1, "told twice, or out of order"
            self.told.append(frame)
        elif frame["type"] == "ack":
            self.outbox.pop(frame["id"], None)
            self.awaited = None
            await self.flush()
        self.others.append(frame)
        return frame

    async def next(self, kind: str, seconds: float = 30.0) -> dict[str, Any]:
        """Read until a frame of this type comes."""
        while (frame := await self.read(seconds))["type"] != kind:
            pass
        return frame

    async def until(self, seq: int) -> None:
        """Read until told this entry."""
        while self.last < seq:
            await self.read()

    async def closed(self, seconds: float = 30.0) -> int | None:
        """Read until the socket is closed; return the close code."""
        try:
            while True:
                await self.read(seconds)
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else None

    def texts(self) -> list[str]:
        """Return the texts told, in order."""
        return [frame["text"] for frame in self.told]

    def cut(self) -> None:
        """Lose the network, at once and without a word."""
        assert self.socket is not None
        self.socket.transport.abort()


async def soon(holds: Callable[[], bool], seconds: float = 45.0) -> None:
    """Return when this holds; fail when it does not within so many seconds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.01)
