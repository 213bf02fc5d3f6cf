"""One connection to Asterisk's manager interface (AMI): greeting, login, actions, packets.

Source: Asterisk's pages "AMI v2 Specification" and of the actions `Login`, `Ping`, `QueueStatus`.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.ingest.adapters.payloads.asterisk_packet import fields_of
from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain import limits
from services.ingest.domain.numbers import digits
from services.ingest.domain.packets import PacketSplitter
from shared.errors import PolicyError

EVENTS = "agent,call,user"  # the classes of what the adapter translates
_GREETING = b"Asterisk Call Manager/"
_CHUNK = 64 * 1024


class LoginRefused(Exception):
    """The peer is no manager interface, or does not let us in; says which, never a secret."""


@dataclass(frozen=True, slots=True)
class AmiAddress:
    """Where to connect; `tls` is None for a connection in the clear."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


def address_of(account: ChannelAccount) -> AmiAddress:
    """Return where a channel account's Asterisk is; raise `PolicyError` for what cannot be one."""
    where = f"channels.yaml: {{}} of channel account {account.provider}/{account.name}"
    port, tls = digits(account.options["port"]) or 0, account.options.get("tls", "no")
    if not 0 < port < 65536:
        raise PolicyError(f"{where.format('options.port')} is no port.", "Asterisk's is 5038.")
    if tls not in ("yes", "no"):
        raise PolicyError(f"{where.format('options.tls')} is neither yes nor no.", "Write one.")
    for name in ("username", "secret"):
        if any(b"\n" in value or b"\r" in value for value in account.secrets[name]):
            raise PolicyError(f"{where.format(name)} has a line break.", "Write it in one line.")
    try:
        authorities = account.options.get("ca_file")
        context = ssl.create_default_context(cafile=authorities) if tls == "yes" else None
    except (OSError, ssl.SSLError):
        raise PolicyError(
            f"{where.format('options.ca_file')} cannot be read.", "Name a PEM file."
        ) from None
    return AmiAddress(account.options["host"], port, context)


class AmiConnection:
    """A connection that is logged in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._splitter = PacketSplitter(limits.AMI_PACKET)
        self._ready: deque[bytes] = deque()

    async def greet(self) -> None:
        """Read the greeting: whoever does not give it is not told our secret."""
        try:
            line = await self._reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            line = b""
        if not line.startswith(_GREETING):
            raise LoginRefused("this is no manager interface")

    async def log_in(self, username: bytes, secret: bytes) -> list[bytes]:
        """Log in; return packets that came before the answer."""
        await self.send("Login", b"Username: " + username, b"Secret: " + secret, _events())
        early = []
        while True:
            packet = await self.packet()
            fields = fields_of(packet)
            if fields.get("ActionID") != "Login":
                early.append(packet)
            elif fields.get("Response") == "Success":
                return early
            else:
                raise LoginRefused("the login was refused")

    async def send(self, action: str, *lines: bytes) -> None:
        """Send an action; its answer carries its name as ActionID."""
        head = f"Action: {action}\r\nActionID: {action}".encode()
        self._writer.write(b"\r\n".join((head, *lines)) + b"\r\n\r\n")
        await self._writer.drain()

    async def packet(self) -> bytes:
        """Return the next packet; raise `ConnectionResetError` at the end."""
        while not self._ready:
            piece = await self._reader.read(_CHUNK)
            if not piece:
                raise ConnectionResetError("Asterisk closed the connection")
            self._ready.extend(self._splitter.feed(piece))
        return self._ready.popleft()


@contextlib.asynccontextmanager
async def connect(address: AmiAddress, patience: float) -> AsyncIterator[AmiConnection]:
    """Open a connection, and close it at the end of the block; not logged in yet."""
    name = address.host if address.tls else None
    async with asyncio.timeout(patience):
        reader, writer = await asyncio.open_connection(
            address.host, address.port, ssl=address.tls, server_hostname=name
        )
    try:
        yield AmiConnection(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(patience):
                await writer.wait_closed()


def _events() -> bytes:
    return f"Events: {EVENTS}".encode()
