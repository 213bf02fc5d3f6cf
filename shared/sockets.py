"""WebSockets that cannot be held for ever: what uvicorn closes is gone soon after.

Closing waits until everything written was sent, so a peer that reads nothing would keep its
connection, and its buffer of 64 KiB, for as long as it likes. Compression is off: it takes up to
300 KiB per connection, and our frames are small.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

_FRAME = 16 * 1024  # bytes; the longest thing we are told on a socket is a chat message
_PING = 20.0  # seconds; proxies commonly close what was silent for 30 to 60
_LINGER = 5.0  # seconds for the last frames and the closing handshake


class BoundedSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, cut off `_LINGER` seconds after it was closed or stopped answering."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        served = self.app

        async def bounded(scope: Any, receive: Any, send: Any) -> None:
            try:
                await served(scope, receive, send)
            finally:
                self._cut_off_soon()

        self.app = bounded

    def keepalive_timeout(self) -> None:
        """Close a connection whose peer does not answer, whether it reads or not."""
        super().keepalive_timeout()
        self._cut_off_soon()

    def _cut_off_soon(self) -> None:
        if not self.disconnected:
            self.loop.call_later(_LINGER, self.transport.abort)


def socket_options(ping: float = _PING) -> dict[str, Any]:
    """Return what `uvicorn.Config` needs to serve WebSockets our way; `ping` in seconds."""
    return {
        "ws": BoundedSocket,
        "ws_max_size": _FRAME,
        "ws_ping_interval": ping,
        "ws_ping_timeout": ping,
        "ws_per_message_deflate": False,
    }
