"""A small Asterisk manager interface on 127.0.0.1, written from its documentation, for tests."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

GREETING = b"Asterisk Call Manager/9.0.0\r\n"


def packet(**fields: str) -> bytes:
    """Return a packet of these lines."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n"


def joined(call: str, number: str = "+38640123456") -> bytes:
    """Return the event of a caller who joins the queue `support`."""
    return packet(
        Event="QueueCallerJoin", Uniqueid=call, Linkedid=call, Queue="support", CallerIDNum=number
    )


@dataclass
class AmiSession:
    """One connection of a client, after its login."""

    writer: asyncio.StreamWriter
    actions: "asyncio.Queue[Mapping[str, str]]" = field(default_factory=asyncio.Queue)

    async def send(self, *pieces: bytes) -> None:
        """Send bytes, each piece by itself."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def action(self, name: str) -> Mapping[str, str]:
        """Return the next action of this name that the client sends."""
        while (found := await self.actions.get())["Action"] != name:
            pass
        return found

    def drop(self) -> None:
        """Cut the connection at once."""
        self.writer.transport.abort()


@dataclass
class AmiServer:
    """Lets in whoever knows the secret; `waiting` are the callers it tells of in a snapshot."""

    secrets: Sequence[str] = ("manager-secret",)
    greeting: bytes = GREETING
    waiting: Sequence[str] = ()
    answers_pings: bool = True
    tls: ssl.SSLContext | None = None
    logins: list[Mapping[str, str]] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)
    sessions: "asyncio.Queue[AmiSession]" = field(default_factory=asyncio.Queue)
    refused: "asyncio.Queue[None]" = field(default_factory=asyncio.Queue)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """Serve on a free port, which it yields."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = AmiSession(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await session.send(self.greeting)
            while True:
                written = await reader.readuntil(b"\r\n\r\n")
                self.received += written
                lines = written.decode().strip().split("\r\n")
                action = dict(line.split(": ", 1) for line in lines)
                await self._answer(session, action)
        writer.close()

    async def _answer(self, session: AmiSession, action: Mapping[str, str]) -> None:
        own_id = {"ActionID": action["ActionID"]}
        if action["Action"] == "Login":
            self.logins.append(action)
            if action["Secret"] not in self.secrets:
                await session.send(
                    packet(Response="Error", Message="Authentication failed", **own_id)
                )
                self.refused.put_nowait(None)
                return
            await session.send(packet(Response="Success", **own_id), packet(Event="FullyBooted"))
            self.sessions.put_nowait(session)
        elif action["Action"] == "QueueStatus":
            await session.send(packet(Response="Success", EventList="start", **own_id))
            for call in self.waiting:
                about = {"Uniqueid": call, "Queue": "support", "CallerIDNum": "+38640123456"}
                await session.send(packet(Event="QueueEntry", Wait="60", **about, **own_id))
            await session.send(packet(Event="QueueStatusComplete", EventList="Complete", **own_id))
        elif action["Action"] == "Ping" and self.answers_pings:
            await session.send(packet(Response="Success", Ping="Pong", **own_id))
        session.actions.put_nowait(action)
