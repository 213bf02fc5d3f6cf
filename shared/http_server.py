"""uvicorn as every service runs it: its own port, its own time to stop, nobody's signals."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from shared.errors import SettingsError
from shared.sockets import socket_options

_KEEP_ALIVE = 75  # seconds; load balancers in front close idle connections after 60
HTTP_GRACE = 5  # seconds for requests in flight


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
