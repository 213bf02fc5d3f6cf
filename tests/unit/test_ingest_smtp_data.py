"""The data of mails: where it ends, how long it may take, and that it holds nobody else up."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.ingest.domain import limits
from services.ingest.smtp import MailHandler, MailProtocol, mail_server
from services.ingest.smtp_data import read_data
from tests.support.builders_ingest import DOORS, Fakes
from tests.support.mail_session import Relay, on_skipping_loop

SENDER, SUPPORT = "ana.kovac@example.si", "support@example.com"
END = b"\r\n.\r\n"
STEP_SECONDS = 0.1  # of the processor, five times what it takes; line by line it took 15
MAIL_CPU_SECONDS = 1.0  # six times what it takes, the client's share included


@dataclass
class Kept(MailHandler):
    """Keeps mails as they came, once it may: at once unless a test has it wait."""

    mails: list[bytes] = field(default_factory=list)
    may_keep: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        super().__init__(DOORS, Fakes().intake())
        self.may_keep.set()

    async def handle_DATA(  # noqa: N802 - aiosmtpd names it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail."""
        assert isinstance(envelope.content, bytes)
        await self.may_keep.wait()
        self.mails.append(envelope.content)
        return "250 2.0.0 Kept"


Told = Callable[[Relay, list[bytes]], Coroutine[Any, Any, None]]


def in_data(told: Told, protocol: MailProtocol = "smtp") -> None:
    """Have a story told of a relay that may send its data, and of the mails that were kept."""

    async def scenario() -> None:
        handler = Kept()
        relay = Relay(handler, protocol)
        await relay.begin(SENDER, SUPPORT, "LHLO" if protocol == "lmtp" else "HELO")
        await told(relay, handler.mails)
        relay.hang_up()

    on_skipping_loop(scenario)


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
@pytest.mark.parametrize("no_end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r.\r\n"])
def test_only_a_dot_between_two_whole_line_ends_ends_a_mail(
    no_end: bytes, protocol: MailProtocol
) -> None:
    hidden = b"MAIL FROM:<iva.horvat@example.net>\r\nRCPT TO:<support@example.com>\r\nDATA\r\n"

    async def told(relay: Relay, mails: list[bytes]) -> None:
        assert await relay.say(b"one" + no_end + hidden + b"two") == []
        assert await relay.say(END) == [b"250 2.0.0 Kept"]
        assert mails == [b"one" + no_end.replace(b"\r\n.", b"\r\n") + hidden + b"two\r\n"]

    in_data(told, protocol)


def test_commands_behind_the_end_of_a_mail_are_answered_in_order() -> None:
    again = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{SUPPORT}>\r\nDATA\r\n".encode()

    async def told(relay: Relay, mails: list[bytes]) -> None:
        answers = await relay.say(b"one" + END + again + b"two" + END + b"QUIT\r\n")
        assert [answer[:3] for answer in answers] == [b"250"] * 3 + [b"354", b"250", b"221"]
        assert mails == [b"one\r\n", b"two\r\n"]

    in_data(told)


@pytest.mark.parametrize("size", [limits.MAIL, limits.MAIL + 1])
def test_a_mail_may_be_as_large_as_the_limit_and_one_line(size: int) -> None:
    async def told(relay: Relay, mails: list[bytes]) -> None:
        assert await relay.say(b"x" * (size - 2)) == []
        (answer,) = await relay.say(END)
        too_large = size > limits.MAIL
        assert (answer[:3], len(mails)) == ((b"552", 0) if too_large else (b"250", 1))
        assert (await relay.say(b"NOOP\r\n"))[0].startswith(b"250")

    in_data(told)


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        (b"DATA\r\n", b"503"),
        (b"HELO x\r\nDATA\r\n", b"503"),
        (b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<support@example.com>\r\nDATA now\r\n", b"501"),
    ],
)
def test_data_out_of_order_is_refused(commands: bytes, code: bytes) -> None:
    async def scenario() -> None:
        relay = Relay(Kept())
        assert (await relay.say(commands))[-1].startswith(code)
        relay.hang_up()

    on_skipping_loop(scenario)


def test_a_slow_relay_that_keeps_sending_is_not_cut_off() -> None:
    async def told(relay: Relay, mails: list[bytes]) -> None:
        for _ in range(20):
            assert await relay.wait(limits.MAIL_IDLE_SECONDS * 0.75) == []
            assert await relay.say(b"x") == []
        assert await relay.say(END) == [b"250 2.0.0 Kept"]
        assert mails == [b"x" * 20 + b"\r\n"]

    in_data(told)


def test_a_relay_that_falls_silent_is_told_to_try_again_and_cut_off() -> None:
    async def told(relay: Relay, mails: list[bytes]) -> None:
        await relay.say(b"x")
        assert await relay.wait(limits.MAIL_IDLE_SECONDS - 1) == []
        (answer,) = await relay.wait(2)
        assert answer.startswith(b"421")
        assert relay.wire.closed
        assert mails == []

    in_data(told)


def test_a_mail_that_never_ends_is_cut_off_and_its_text_is_no_command() -> None:
    async def told(relay: Relay, mails: list[bytes]) -> None:
        steps = int(limits.MAIL_DATA_SECONDS / 30)
        for _ in range(steps - 1):
            assert await relay.wait(30) == []
            assert await relay.say(b"x\r\n") == []
        (answer,) = await relay.wait(31)
        assert answer.startswith(b"421")
        assert relay.wire.closed
        relay._session.data_received(b"NOOP\r\n")  # was on its way
        assert await relay.wait(0) == []

    in_data(told)


@pytest.mark.parametrize("turns", range(5))
def test_a_relay_that_only_looks_in_takes_nobodys_place(turns: int) -> None:
    async def scenario() -> None:
        handler, sessions = Kept(), set[Any]()
        relay = Relay(handler, open_sessions=sessions)
        for _ in range(turns):  # of the loop: until it is greeted, and a little later
            await asyncio.sleep(0)
        relay.say_no_more()
        await relay.wait(0)
        assert sessions == set()

    on_skipping_loop(scenario)


async def test_a_mail_that_breaks_off_is_none() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"x\r\n.")
    reader.feed_eof()
    with pytest.raises(asyncio.CancelledError):
        await read_data(reader, limits.MAIL, lambda: None)


def test_many_commands_at_once_let_others_have_their_turn() -> None:
    async def told(relay: Relay, mails: list[bytes]) -> None:
        answers = await relay.say(b"x" + END + b"\r\n" * 10_000)
        assert 0 < len(answers) < 100  # in 20 turns of the loop

    in_data(told)


def test_a_relay_that_sends_on_while_its_mail_is_kept_has_to_wait() -> None:
    async def scenario() -> None:
        handler = Kept()
        handler.may_keep.clear()
        relay = Relay(handler)
        await relay.begin(SENDER, SUPPORT)
        await relay.say(b"x" + END)
        for _ in range(2):
            assert not relay.wire.paused
            await relay.say(b"NOOP\r\n" * (limits.MAIL_BUFFER // 6 + 1))
        assert relay.wire.paused
        handler.may_keep.set()
        assert await relay.wait(0) != []
        relay.hang_up()

    on_skipping_loop(scenario)


@dataclass
class Longest:
    """Measures the longest step of the running loop, in seconds of its thread's processor time."""

    seconds: float = 0.0

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            started = time.thread_time()
            await asyncio.sleep(0)
            self.seconds = max(self.seconds, time.thread_time() - started)


def send(port: int, mail: bytes) -> bytes:
    """Send one mail as a relay does; returns the answer to its data."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        answers = client.makefile("rb")
        answers.readline()
        for command in ("HELO x", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{SUPPORT}>", "DATA"):
            client.sendall(command.encode() + b"\r\n")
            answers.readline()
        client.sendall(mail + END)
        return answers.readline()


MIB = limits.MIB
HEAVY = {
    "empty lines, 8 MiB": b"\r\n" * (4 * MIB),
    "empty lines, 24 MiB": b"\r\n" * (12 * MIB),
    "dots": b"..\r\n" * (6 * MIB),
    "ends that are none": b"\r\n.\r" * (5 * MIB),
    "base64": (b"QUJD" * 19 + b"\r\n") * 310_000,
    "one line": b"x" * (24 * MIB),
}


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("mail", HEAVY.values(), ids=HEAVY)
def test_no_mail_holds_the_loop_up(mail: bytes, runner: Callable[..., Any]) -> None:
    async def scenario() -> tuple[bytes, float, int]:
        longest, handler = Longest(), Kept()
        async with mail_server(handler, "127.0.0.1", 0, "ingest.example.com") as server:
            port = server.sockets[0].getsockname()[1]
            measuring = asyncio.create_task(longest.run())
            answer = await asyncio.to_thread(partial(send, port, mail))
            measuring.cancel()
            with suppress(asyncio.CancelledError):
                await measuring
        return answer, longest.seconds, len(handler.mails)

    started = time.process_time()
    answer, step, kept = runner(scenario())
    assert (answer[:3], kept) == (b"250", 1)
    assert step < STEP_SECONDS
    assert time.process_time() - started < MAIL_CPU_SECONDS
