"""SMTP and LMTP: mail from our own relay.

Nothing here authenticates anybody: the network policy must let only the relay in, which in turn
checks SPF, DKIM and DMARC.

250 is said only when the raw mail is in MongoDB and its event on Kafka; 451 makes the relay keep
it and try again. Nothing the mail holds makes us bounce it: what we cannot read becomes a dead
letter.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, cast

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.ingest.accounts import Door, Doors
from services.ingest.adapters.email import is_for
from services.ingest.adapters.request import RawRequest
from services.ingest.domain import limits
from services.ingest.handlers import Intake
from services.ingest.smtp_data import DataServer
from shared.errors import Unavailable
from shared.observability import UNWATCHED, Progress

_KEPT = "250 2.0.0 Kept"
_LATER = "451 4.3.0 Not safe yet, try again"
_NO_MAILBOX = "550 5.1.1 No such mailbox here"
_TOO_MANY = "452 4.5.3 Too many recipients"
_BUSY = b"421 4.3.2 Too many connections, try again\r\n"
_STOPPING = "421 4.3.2 Shutting down, try again"
_KNOCK_SECONDS = 15.0  # eight times before the process counts as stuck
_GREETING_SECONDS = 10.0  # what takes a millisecond
_STOPPED = f"{_STOPPING}\r\n".encode()


class MailHandler:
    """What happens to the recipients and to the mail of a session.

    While `draining` says so, nobody is taken on any more: a relay keeps its mail and tries again.
    """

    def __init__(
        self, doors: Doors, intake: Intake, draining: Callable[[], bool] = lambda: False
    ) -> None:
        self._doors = [door for door in doors.values() if door.adapter.transport == "smtp"]
        self._intake = intake
        self.draining = draining

    async def handle_MAIL(  # noqa: N802 - aiosmtpd names it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Begin a mail, unless we are stopping."""
        if self.draining():
            return _STOPPING
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd names it
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Take a recipient that is one of our mailboxes, with or without a plus-tag."""
        if len(envelope.rcpt_tos) >= limits.MAIL_RECIPIENTS:
            return _TOO_MANY
        if not any(is_for(door.account, address) for door in self._doors):
            return _NO_MAILBOX
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd names it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail once for each mailbox it is for.

        SMTP has one answer: all of them or `451`. LMTP has one for each recipient, in order.
        """
        answers: dict[str, str] = {}
        for door in self._doors:
            recipients = [to for to in envelope.rcpt_tos if is_for(door.account, to)]
            if recipients:
                answer = await self._keep(door, _request(envelope, recipients))
                answers.update(dict.fromkeys(recipients, answer))
        if isinstance(server, LMTP):
            return "\r\n".join(answers.get(to, _KEPT) for to in envelope.rcpt_tos)
        return _LATER if _LATER in answers.values() else _KEPT

    async def _keep(self, door: Door, request: RawRequest) -> str:
        try:
            await self._intake.accept(door, request)
        except Unavailable:
            self._count(door, "unavailable")
            return _LATER
        self._count(door, "accepted")
        return _KEPT

    async def handle_exception(self, error: Exception) -> str:
        """Answer our own faults with "try again": a 5xx would bounce the mail."""
        return _LATER

    def _count(self, door: Door, outcome: str) -> None:
        self._intake.meter.count(
            "ingest_requests_total",
            provider=door.account.provider,
            account=door.account.name,
            outcome=outcome,
        )


def _request(envelope: Envelope, recipients: Iterable[str]) -> RawRequest:
    content = envelope.content if isinstance(envelope.content, bytes) else b""
    sender = (envelope.mail_from or "").encode("utf-8", "surrogateescape")
    to = tuple(
        ("envelope-to", recipient.encode("utf-8", "surrogateescape")) for recipient in recipients
    )
    return RawRequest(content, (("envelope-from", sender), *to))


class _MailServer(DataServer):
    """One connection, unless there are too many or we are stopping."""

    def __init__(self, open_connections: set[Any], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._open = open_connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        draining = self.event_handler.draining()
        if draining or len(self._open) >= limits.MAIL_CONNECTIONS:
            # a cast, no check: uvloop's transports are none of asyncio's classes
            cast(asyncio.WriteTransport, transport).write(_STOPPED if draining else _BUSY)
            transport.close()
            return
        self._open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._open:
            self._open.discard(self)
            super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self in self._open:  # a refused connection may still talk
            super().data_received(data)

    def eof_received(self) -> bool | None:
        if self in self._open:
            super().eof_received()  # ends what we do for it, maybe before that can hang up
        return False  # hang up


class _LocalMailServer(_MailServer, LMTP):
    """One LMTP connection (RFC 2033): after the data comes one answer for each recipient.

    What aiosmtpd answers by itself there, to a mail that is too large or to a fault of ours, is
    one answer only: the relay would wait for the others.
    """

    _recipients = 0  # of the mail whose data is coming

    async def push(self, status: Any) -> None:
        """Send an answer, to the data of a mail once for each of its recipients."""
        text = status if isinstance(status, str) else status.decode("ascii", "replace")
        if text.startswith("354"):
            self._recipients = len(self.envelope.rcpt_tos) if self.envelope else 0
        elif self._recipients:
            if text.count("\r\n") + 1 < self._recipients:
                text = "\r\n".join([text] * self._recipients)
            self._recipients = 0
        await super().push(text)


MailProtocol = Literal["smtp", "lmtp"]
_SERVERS: Mapping[str, type[_MailServer]] = {"smtp": _MailServer, "lmtp": _LocalMailServer}


def mail_session(
    handler: MailHandler, open_sessions: set[Any], name: str, protocol: MailProtocol = "smtp"
) -> SMTP:
    """Return what talks to one relay, on the running loop; it counts among the `open_sessions`."""
    return _SERVERS[protocol](
        open_sessions,
        handler,
        data_size_limit=limits.MAIL,
        enable_SMTPUTF8=True,
        hostname=name,
        ident="Throughline",
        timeout=limits.MAIL_IDLE_SECONDS,
        loop=asyncio.get_running_loop(),
    )


@contextlib.asynccontextmanager
async def mail_server(
    handler: MailHandler, host: str, port: int, name: str, protocol: MailProtocol = "smtp"
) -> AsyncIterator[asyncio.Server]:
    """Serve SMTP or LMTP on the running loop while the block runs."""
    loop = asyncio.get_running_loop()
    connect = partial(mail_session, handler, set(), name, protocol)
    server = await loop.create_server(connect, host, port)
    async with server:
        yield server


async def serve_mail(
    handler: MailHandler,
    host: str,
    ports: Mapping[MailProtocol, int | None],
    name: str,
    health: Progress = UNWATCHED,
) -> None:
    """Serve each protocol that has a port, until cancelled."""
    async with contextlib.AsyncExitStack() as stack:
        servers = {
            protocol: await stack.enter_async_context(
                mail_server(handler, host, port, name, protocol)
            )
            for protocol, port in ports.items()
            if port is not None
        }
        await asyncio.gather(
            *(server.serve_forever() for server in servers.values()),
            *(knock(server, protocol, health) for protocol, server in servers.items()),
        )


async def knock(server: asyncio.Server, protocol: MailProtocol, health: Progress) -> None:
    """For life: tick for as long as our own door greets whoever connects to it.

    A server has no loop that could tick; and one that still listens may answer nobody.
    """
    host, port = server.sockets[0].getsockname()[:2]
    health.tick(protocol)  # from now on it is expected to
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_GREETING_SECONDS):
                if await _greeting(host, port):
                    health.tick(protocol)
        await asyncio.sleep(_KNOCK_SECONDS)


async def _greeting(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        return await reader.readline()
    finally:
        writer.close()
