"""`/chat/{account}/socket`: where the widget's sockets come in, and how they leave.

Order: known account, the site's origin, not draining and a free place, a place left for this
address; then the protocol of `domain/chat.py`. On SIGTERM every socket is told to come back, and
closed as soon as the message that is being taken is acknowledged.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address

from starlette.responses import Response
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from services.ingest.chat.account import ChatAccount
from services.ingest.chat.socket import FAULT, Chat, ChatSocket
from services.ingest.domain import limits
from services.ingest.domain.pace import Pace
from shared.http import error_response
from shared.observability import UNWATCHED, Progress, get_logger

ACCOUNT_PER_SECOND, ACCOUNT_BURST = 100.0, 400.0
"""Messages of one channel account per process: 5 000 visitors who write every minute are 83/s."""

_TICK = 1.0  # seconds; looks at 5 000 sockets in under 2 ms


def peer_of(host: str) -> str:
    """Return who counts as one: an IPv4 address, or the /64 that one IPv6 customer line has."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64))


class ChatServer:
    """All sockets of this process: `places` of them at most, and `per_peer` of one address.

    `per_peer` 0 is no limit: behind a proxy all visitors have the proxy's address.
    """

    def __init__(
        self, chat: Chat, accounts: Mapping[str, ChatAccount], places: int, per_peer: int = 0
    ) -> None:
        self._chat, self._accounts = chat, accounts
        self._places, self._per_peer = places, per_peer
        self._sockets: set[ChatSocket] = set()
        self._peers: Counter[str] = Counter()
        self._paces: dict[str, Pace] = defaultdict(lambda: Pace(ACCOUNT_PER_SECOND, ACCOUNT_BURST))
        self._draining = False
        self._log = get_logger("chat")

    def routes(self) -> list[BaseRoute]:
        """Return the raw route of the sockets."""
        return [WebSocketRoute("/chat/{account}/socket", self._serve)]

    async def _serve(self, socket: WebSocket) -> None:
        account = self._accounts.get(socket.path_params["account"])
        peer = peer_of(socket.client.host) if socket.client else ""
        refusal = self._refusal(account, socket, peer)
        if refusal is not None or account is None:
            await socket.send_denial_response(refusal or _unknown())
            return
        chat_socket = ChatSocket(self._chat, account, socket, self._paces[account.name])
        self._sockets.add(chat_socket)
        self._peers[peer] += 1
        self._gauge()
        try:
            await socket.accept()
            await chat_socket.run()
        except Exception as error:  # a fault of ours ends this socket only; the widget comes back
            self._log.error("a chat socket failed", exc_info=error, account=account.name)
            await chat_socket.abandon(FAULT)
        finally:
            self._sockets.discard(chat_socket)
            self._left(peer)
            self._gauge()

    def _left(self, peer: str) -> None:
        self._peers[peer] -= 1
        if not self._peers[peer]:
            del self._peers[peer]

    def _refusal(
        self, account: ChatAccount | None, socket: WebSocket, peer: str
    ) -> Response | None:
        if account is None:
            return _unknown()
        origins = socket.headers.getlist("origin")
        if len(origins) != 1 or origins[0] not in account.origins:
            self._count(account, "origin")
            return error_response(
                403,
                "origin-refused",
                "This site may not open this chat.",
                "Add its origin to the channel account's option `origins`.",
            )
        if self._draining or len(self._sockets) >= self._places:
            self._count(account, "busy")
            return error_response(
                503,
                "busy",
                "There is no free place for another chat here.",
                "Try again.",
                {"Retry-After": str(limits.RETRY_AFTER_SECONDS)},
            )
        if self._per_peer and self._peers[peer] >= self._per_peer:
            self._count(account, "peer")
            return error_response(
                429,
                "too-many-chats",
                "This address holds as many chats as it may.",
                "Close one, or see THROUGHLINE_INGEST_CHAT_SOCKETS_PER_PEER.",
                {"Retry-After": str(limits.RETRY_AFTER_SECONDS)},
            )
        return None

    async def tend(self, health: Progress = UNWATCHED) -> None:
        """For life: have every socket do what is due from time to time."""
        while True:
            health.tick("chat sockets")
            await asyncio.sleep(_TICK)
            for one in tuple(self._sockets):
                one.tend()

    async def drain(self) -> None:
        """Take no new socket, and send all of them away in good order."""
        self._draining = True
        await asyncio.gather(*(one.move() for one in tuple(self._sockets)))

    def _gauge(self) -> None:
        self._chat.meter.set("chat_sockets", len(self._sockets))

    def _count(self, account: ChatAccount, outcome: str) -> None:
        self._chat.meter.count("chat_sockets_refused_total", account=account.name, reason=outcome)


def _unknown() -> Response:
    return error_response(
        404, "unknown-channel-account", "There is no such chat here.", "See channels.yaml."
    )
