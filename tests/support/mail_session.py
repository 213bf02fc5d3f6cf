"""A relay's session with ours in memory, on a loop whose time can be moved on."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from services.ingest.smtp import MailHandler, MailProtocol, mail_session

_TURNS = 20  # of the loop, more than any command of a session needs


class Skipping(asyncio.SelectorEventLoop):
    """A loop on which seconds pass at once."""

    skipped = 0.0

    def time(self) -> float:
        """Return the time of the loop, in seconds."""
        return super().time() + self.skipped


class Wire(asyncio.Transport):
    """The other end: remembers what was said, and whether we take more."""

    def __init__(self) -> None:
        super().__init__()
        self.said, self.closed, self.paused = b"", False, False

    def write(self, data: Any) -> None:
        """Take what we say."""
        self.said += data

    def is_closing(self) -> bool:
        """Tell whether we hung up."""
        return self.closed

    def close(self) -> None:
        """Hang up."""
        self.closed = True

    def pause_reading(self) -> None:
        """Let the relay wait before it sends more."""
        self.paused = True

    def resume_reading(self) -> None:
        """Let the relay send again."""
        self.paused = False


class Relay:
    """A relay that is connected to us."""

    def __init__(
        self,
        handler: MailHandler,
        protocol: MailProtocol = "smtp",
        open_sessions: set[Any] | None = None,
    ) -> None:
        self.wire, self._heard = Wire(), 0
        sessions = set() if open_sessions is None else open_sessions
        self._session = mail_session(handler, sessions, "ingest.example.com", protocol)
        self._session.connection_made(self.wire)

    async def say(self, data: bytes) -> list[bytes]:
        """Send bytes; return what is answered to them, line by line."""
        if not self.wire.closed:
            self._session.data_received(data)
        return await self.wait(0)

    async def wait(self, seconds: float) -> list[bytes]:
        """Send nothing for so long; return what is said meanwhile."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Skipping)
        loop.skipped += seconds
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        said, self._heard = self.wire.said[self._heard :], len(self.wire.said)
        return said.splitlines()

    async def begin(self, sender: str, recipient: str, hello: str = "HELO") -> None:
        """Come to where the data may be sent."""
        for command in (f"{hello} x", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"):
            answers = await self.say(command.encode() + b"\r\n")
        assert answers[-1].startswith(b"354")

    def say_no_more(self) -> None:
        """End the stream; the connection breaks if we hang up as well, as on a real one."""
        if not self._session.eof_received():
            self.hang_up()

    def hang_up(self) -> None:
        """Break the connection off."""
        self._session.connection_lost(None)


def on_skipping_loop(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario on a loop on which seconds pass at once."""
    with asyncio.Runner(loop_factory=Skipping) as runner:
        runner.run(scenario())
