"""Stand-ins on 127.0.0.1 for what replies are sent to: a provider's HTTP API, and a mail relay.

Both answer as they are told and remember what they were asked.
"""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


@dataclass
class Script:
    """What to answer, after `wait` is set; or nothing (`hang`), or a closed door (`drop`)."""

    status: int = 200
    body: bytes | Callable[[int], bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    then: str = ""
    wait: asyncio.Event | None = None


HANG = Script(then="hang")
DROP = Script(then="drop")


@dataclass
class ProviderStub:
    """A provider's API; `script` is used up answer by answer, then `usual` holds."""

    usual: Script
    port: int = 0
    script: list[Script] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self) -> str:
        """Return its base address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def place(self) -> str:
        """Return `host:port`, to be named in THROUGHLINE_INGEST_OUTGOING_ALLOW."""
        return f"127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            self.in_flight -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append(Asked(method, path, headers, body))
        answer = self.script.pop(0) if self.script else self.usual
        if answer.wait is not None:
            await answer.wait.wait()
        if answer.then == "hang":
            await reader.read()  # until the other side gives up
            return
        if answer.then == "drop":
            return
        content = (
            answer.body if isinstance(answer.body, bytes) else answer.body(next(self._numbers))
        )
        lines = [f"HTTP/1.1 {answer.status} Whatever", f"content-length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode() + content)
        await writer.drain()


@contextlib.asynccontextmanager
async def provider_stub(usual: Script, ssl: Any = None) -> AsyncIterator[ProviderStub]:
    """Run a stand-in while the block runs."""
    stub = ProviderStub(usual)
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0, ssl=ssl)
    stub.port = server.sockets[0].getsockname()[1]
    try:
        yield stub
    finally:
        server.close()


def whatsapp_takes_it() -> Script:
    """Return Meta's usual answer: a new message id for each call."""
    return Script(
        body=lambda number: json.dumps(
            {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.{number}"}]}
        ).encode()
    )


@dataclass
class RelayStub:
    """A mail relay; `codes` are used up mail by mail, then everything is taken."""

    port: int = 0
    codes: list[str] = field(default_factory=list)
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Return `host:port`."""
        return f"127.0.0.1:{self.port}"

    async def handle_DATA(  # noqa: N802 - aiosmtpd names it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail or refuse it."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.mails.append((envelope.mail_from or "", list(envelope.rcpt_tos), content))
        code = self.codes.pop(0) if self.codes else "250 2.0.0 Kept"
        if code == "hang":
            await asyncio.Event().wait()
        return code


@contextlib.asynccontextmanager
async def relay_stub() -> AsyncIterator[RelayStub]:
    """Run a mail relay while the block runs."""
    relay = RelayStub()
    loop = asyncio.get_running_loop()
    sessions: list[SMTP] = []

    def connect() -> SMTP:
        sessions.append(SMTP(relay, hostname="relay.example.com", loop=loop))
        return sessions[-1]

    server = await loop.create_server(connect, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
