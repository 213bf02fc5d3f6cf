"""One open socket: frames in, acknowledgements and the rest of the history out.

Two tasks. The reader takes one frame at a time and reads no further while it is being made safe, so
a flood waits in the visitor's own network. The teller sends what the history has beyond what the
widget has, a page at a time, and holds nothing else: a widget that reads slowly costs no memory.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from services.ingest.chat.account import ChatAccount
from services.ingest.chat.frames import acknowledgement, problem, told, welcome
from services.ingest.chat.live import ChatLive
from services.ingest.chat.presence import Presence
from services.ingest.chat.sessions import ChatSessions, Visit
from services.ingest.chat.store import PAGE, ChatStore, Entry
from services.ingest.domain.chat import (
    GAP,
    BadFrame,
    Finished,
    Frame,
    Hello,
    LeftAddress,
    Ping,
    Said,
    Typing,
    read_frame,
)
from services.ingest.domain.pace import Pace
from services.ingest.metrics import Meter
from shared.clock import Clock
from shared.errors import Unavailable

FAULT = 1011
GOING_AWAY = 1012  # "service restart": come back, to another process perhaps
TRY_LATER = 1013
NO_HELLO = 4000
IDLE = 4001  # come back when there is something to say
FLOOD = 4002

HELLO_SECONDS = 10.0
STATUS_SECONDS = 30.0  # how often a wait is looked at: people look up about as often
SILENT_SECONDS = 30 * 60.0  # a visitor who reads on and says nothing; coming back costs a second
PER_SECOND, BURST = 2.0, 20.0  # frames; who types fast sends one message a second
PATIENCE = 100  # frames refused in a row: no person does that


@dataclass(frozen=True, slots=True)
class Chat:
    """What all sockets share."""

    sessions: ChatSessions
    store: ChatStore
    live: ChatLive
    presence: Presence
    clock: Clock
    meter: Meter
    new_token: Callable[[], str]


class ChatSocket:
    """One socket of one visitor, from accepted to closed."""

    def __init__(
        self, chat: Chat, account: ChatAccount, socket: WebSocket, account_pace: Pace
    ) -> None:
        self._chat, self._account, self._socket = chat, account, socket
        self._pace, self._account_pace = Pace(PER_SECOND, BURST), account_pace
        self._refused = 0
        self._visit: Visit | None = None
        self._last = 0
        self._open = False
        self._wake, self._taking = asyncio.Event(), asyncio.Lock()
        self._news, self._due = False, False
        self._status: dict[str, object] = {}
        self._heard = self._tended = self._seconds()
        self._leaving: asyncio.Task[None] | None = None
        self._closed = False

    async def run(self) -> None:
        """Serve until the socket is closed by either side."""
        teller: asyncio.Task[None] | None = None
        try:
            while (body := await self._receive()) is not None:
                async with self._taking:
                    frame = self._judge(body)
                    if isinstance(frame, Hello):
                        teller = await self._welcome(frame)
                    else:
                        await self._take(frame)
        except WebSocketDisconnect:
            pass
        finally:
            self._closed = True
            if teller is not None:
                await _ended(teller)

    async def _receive(self) -> bytes | None:
        if self._closed:
            return None
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        return text.encode("utf-8", "replace") if text is not None else message["bytes"] or b""

    def _judge(self, body: bytes) -> Frame:
        """Return what the frame says, if it comes at its time and not too fast."""
        frame = read_frame(body)
        now = self._seconds()
        if not self._pace.take(now):
            return BadFrame("rate-limited", getattr(frame, "id", None))
        if isinstance(frame, Said | LeftAddress | Finished) and self._visit is not None:
            self._heard = now
            if not self._account_pace.take(now):
                return BadFrame("rate-limited", frame.id)
        if isinstance(frame, Hello) == (self._visit is None) or isinstance(frame, BadFrame):
            return frame
        return BadFrame("hello-first", getattr(frame, "id", None))

    # -- what comes in ----------------------------------------------------------------------------

    async def _welcome(self, hello: Hello) -> asyncio.Task[None] | None:
        token = hello.token or self._chat.new_token()
        visit = self._chat.sessions.visit(self._account.door, token, hello.locale)
        try:
            tail = await self._chat.store.tail(visit.session)
        except Unavailable:
            await self.abandon(TRY_LATER)
            return None
        self._visit, self._open = visit, tail.open
        # a widget that has more than there is has another session's: it gets this one whole
        self._last = hello.last if hello.last <= tail.seq else 0
        await self._send(welcome(None if hello.token else token, self._last, tail.seq))
        await self._tell_status(visit)
        return asyncio.create_task(self._tell(visit))

    async def _take(self, frame: Frame) -> None:
        visit, sessions = self._visit, self._chat.sessions
        try:
            match frame:
                case BadFrame(code, frame_id):
                    await self._refuse(code, frame_id)
                    return
                case Said():
                    assert visit is not None
                    await self._acknowledge(frame.id, await sessions.say(visit, frame))
                case LeftAddress():
                    assert visit is not None
                    await self._acknowledge(frame.id, await sessions.leave_address(visit, frame))
                case Finished():
                    assert visit is not None
                    await self._acknowledge(frame.id, await sessions.finish(visit, frame))
                case Ping():
                    await self._send({"type": "pong"})
                case Typing():
                    pass
        except Unavailable:
            await self._problem("unavailable", getattr(frame, "id", None))
        self._refused = 0

    async def _acknowledge(self, frame_id: str, entry: Entry | None) -> None:
        self._count("accepted")
        await self._send(acknowledgement(frame_id, entry))

    async def _refuse(self, code: str, frame_id: str | None) -> None:
        self._refused += 1
        if self._refused > PATIENCE:
            await self.abandon(FLOOD)
            return
        await self._problem(code, frame_id)

    async def _problem(self, code: str, frame_id: str | None) -> None:
        self._count(code)
        await self._send(problem(code, frame_id))

    # -- what goes out ----------------------------------------------------------------------------

    async def _tell(self, visit: Visit) -> None:
        """Send every entry beyond the last that the widget has, in order, each once."""
        try:
            with self._chat.live.listen(visit.session, self._look):
                self._news = True
                while not self._closed:
                    self._wake.clear()
                    if self._due:
                        self._due = False
                        await self._tend(visit)
                    if self._news:
                        self._news = False
                        await self._tell_news(visit)
                    await self._wake.wait()
        except WebSocketDisconnect:
            pass
        except Unavailable:
            await self.abandon(TRY_LATER)
        except Exception:
            await self.abandon(FAULT)
            raise

    async def _tell_news(self, visit: Visit) -> None:
        entries = await self._chat.store.after(visit.session, self._last)
        for entry in entries:
            await self._send(told(entry))
            self._last, self._open = entry.seq, entry.open
            self._heard = self._seconds()
        if len(entries) == PAGE:
            self._look()

    def _look(self) -> None:
        self._news = True
        self._wake.set()

    async def _tell_status(self, visit: Visit) -> None:
        """Send where the conversation stands, if that has changed."""
        conversation = self._chat.sessions.conversation_id(visit)
        standing = await self._chat.presence.standing(self._account.name, conversation)
        status = self._account.status(standing, self._chat.clock.now())
        if status != self._status:
            self._status = status
            await self._send(status)

    def tend(self) -> None:
        """Have done what is due from time to time; called every second."""
        now = self._seconds()
        if now - self._tended < (HELLO_SECONDS if self._visit is None else STATUS_SECONDS):
            return
        self._tended, self._due = now, True
        self._wake.set()
        if self._visit is None:
            self._leaving = asyncio.create_task(self.abandon(NO_HELLO))

    async def _tend(self, visit: Visit) -> None:
        silent = self._seconds() - self._heard
        if self._open and silent >= GAP.total_seconds():
            await self._chat.sessions.finish(visit, reason="timeout")
            await self.abandon(IDLE)
        elif not self._open and silent >= SILENT_SECONDS:
            await self.abandon(IDLE)
        else:
            await self._tell_status(visit)

    async def move(self) -> None:
        """Say that the widget should connect again, when what is being taken is acknowledged."""
        async with self._taking:
            with contextlib.suppress(WebSocketDisconnect):
                await self._send({"type": "moving"})
            await self.abandon(GOING_AWAY)

    async def abandon(self, code: int) -> None:
        """Close the socket if that can still be done; the reader ends by itself."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self._socket.close(code)

    async def _send(self, frame: dict[str, Any]) -> None:
        if not self._closed:
            text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
            try:
                await self._socket.send_text(text)
            except RuntimeError:  # the other task closed it while this one waited for its turn
                raise WebSocketDisconnect(1006) from None

    def _count(self, outcome: str) -> None:
        self._chat.meter.count("chat_frames_total", account=self._account.name, outcome=outcome)

    def _seconds(self) -> float:
        return asyncio.get_running_loop().time()


async def _ended(teller: asyncio.Task[None]) -> None:
    """Have the teller end; raise what it failed with, if that was a fault of ours."""
    teller.cancel()
    (outcome,) = await asyncio.gather(teller, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome
