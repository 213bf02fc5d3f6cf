"""uvicorn as every service runs it: its own port, its own time to stop, nobody's signals."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.errors import SettingsError
from shared.sockets import socket_options

_KEEP_ALIVE = 75  # seconds; load balancers in front close idle connections after 60
_HEADERS = 10.0  # seconds for headers, the first from connecting on; a bad line needs two
HTTP_GRACE = 5  # seconds for requests in flight


class PatientProtocol(HttpToolsProtocol):
    """One connection, with a limit to the time that a request's headers may take.

    uvicorn has none: a client that sends nothing, or a byte now and then, would hold a connection
    for ever.
    """

    _giving_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._giving_up = self.loop.call_later(_HEADERS, transport.close)

    def data_received(self, data: bytes) -> None:
        """Take what came; if it began no request (an empty line does not), it is idle as before."""
        super().data_received(data)
        if self._is_idle() and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """Begin to wait for the end of the headers, unless that of the first is waited for."""
        super().on_message_begin()
        if self._giving_up is None:
            self._giving_up = self.loop.call_later(_HEADERS, self.transport.close)

    def on_headers_complete(self) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        """Say whether a request was answered, and neither another nor a WebSocket came since."""
        answered = self.cycle is not None and self.cycle.response_complete
        ours = self.transport.get_protocol() is self and not self.transport.is_closing()
        return answered and ours and self._giving_up is None

    def _stop_waiting(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None


class Server(uvicorn.Server):
    """uvicorn, without its own signal handling: the service decides the order of stopping."""

    def __init__(self, app: Any, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=None,
                lifespan="off",
                access_log=False,
                server_header=False,
                http=PatientProtocol,
                proxy_headers=False,  # nobody's address is used for anything
                timeout_graceful_shutdown=HTTP_GRACE,
                timeout_keep_alive=_KEEP_ALIVE,
                h11_max_incomplete_event_size=16 * 1024,
                **socket_options(),
            )
        )

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop; raise `SettingsError` when the port is taken."""
        await super().serve(sockets or [self._bound()])

    def _bound(self) -> socket.socket:
        listener = socket.socket(socket.AF_INET6 if ":" in self.config.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.config.host, self.config.port))
        except OSError as error:
            listener.close()
            raise SettingsError(
                f"{self.config.host}:{self.config.port} cannot be served on ({error.strerror}).",
                "End what uses it, or set another port (docs/settings.md).",
            ) from None
        return listener

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def answering(self, serving: asyncio.Task[Any]) -> None:
        """Return when the port accepts connections, or `serving` has failed."""
        while not self.started and not serving.done():  # noqa: ASYNC110 - uvicorn has a flag for it, and no event
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Accept nothing new, let requests in flight end."""
        self.should_exit = True
        while self.started and self.servers:
            await asyncio.sleep(0.02)
            if not any(server.is_serving() for server in self.servers):
                return
