"""The client of Asterisk's manager interface against a small one: no caller is lost or doubled."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from services.ingest.accounts import Door
from services.ingest.ami import AmiClient, pause_before
from services.ingest.domain import limits
from shared.errors import PolicyError, Unavailable
from shared.events import Event
from tests.support.ami_server import AmiServer, joined, packet
from tests.support.builders_ingest import DOORS, FakePublisher, Fakes
from tests.support.certificates import local_certificate

DOOR = DOORS["asterisk", "main"]
LIMIT = 20.0  # seconds for what takes milliseconds


@dataclass
class Listener(FakePublisher):
    """Remembers events; `until` waits for a number of them, `refusals` come first."""

    refusals: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def publish(self, events: Sequence[Event]) -> None:
        """Take events, or fail."""
        if self.refusals and events:
            self.refusals -= 1
            raise Unavailable("Kafka did not acknowledge in time.", "Try again.")
        async with self.news:
            await super().publish(events)
            self.news.notify_all()

    async def until(self, count: int) -> list[Any]:
        """Return the events once there are so many."""
        async with asyncio.timeout(LIMIT), self.news:
            await self.news.wait_for(lambda: len(self.events) >= count)
        return list(self.events)


@dataclass
class Pauses:
    """Pauses that take no time, written down."""

    taken: list[float] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, seconds: float) -> None:
        """Let others run."""
        async with self.news:
            self.taken.append(seconds)
            self.news.notify_all()
        await asyncio.sleep(0)

    async def until(self, count: int) -> None:
        """Return once there were so many."""
        async with asyncio.timeout(LIMIT), self.news:
            await self.news.wait_for(lambda: len(self.taken) >= count)


@dataclass
class Setting:
    """A client that runs against a server."""

    server: AmiServer
    listener: Listener
    pauses: Pauses
    fakes: Fakes

    async def session(self) -> Any:
        """Return the next session the client has with the server."""
        async with asyncio.timeout(LIMIT):
            return await self.server.sessions.get()

    def calls(self) -> list[str]:
        """Return the calls told of, in order."""
        return [event.data.interaction_id for event in self.listener.events]


@contextlib.asynccontextmanager
async def running(
    server: AmiServer | None = None,
    refusals: int = 0,
    told: Mapping[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[Setting]:
    """Run a client against a server while the block runs; `told` are the account's options."""
    server, pauses = server or AmiServer(), Pauses()
    listener = Listener(refusals=refusals)
    fakes = Fakes(publisher=listener)
    async with server.serving() as port:
        client = AmiClient(
            door(port, **(told or {})), fakes.intake(), pause=pauses, chance=lambda: 0.0, **options
        )
        task = asyncio.create_task(client.run())
        try:
            yield Setting(server, listener, pauses, fakes)
            assert not task.done()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def door(at: int = 5038, **options: str) -> Door:
    """Return the fixtures' door, at another port."""
    given = {**DOOR.account.options, "host": "127.0.0.1", "port": str(at), **options}
    return replace(DOOR, account=replace(DOOR.account, options=given))


async def test_what_asterisk_says_is_published_in_order() -> None:
    async with running() as setting:
        session = await setting.session()
        await session.send(joined("1.1"), joined("1.2"), joined("1.3"))
        events = await setting.listener.until(3)
        assert setting.calls() == ["1.1", "1.2", "1.3"]
        assert events[0].data.contact_points == ("tel:+38640123456",)


async def test_only_the_events_that_are_needed_are_asked_for() -> None:
    async with running() as setting:
        await setting.session()
        (login,) = setting.server.logins
        assert login["Events"] == "agent,call,user"
        assert login["Username"] == "queue-reader"


async def test_a_packet_may_come_in_any_pieces_or_many_in_one() -> None:
    async with running() as setting:
        session = await setting.session()
        whole = joined("1.1") + joined("1.2")
        await session.send(*(whole[at : at + 1] for at in range(len(whole))))
        await session.send(joined("1.3") + joined("1.4"))
        await setting.listener.until(4)
        assert setting.calls() == ["1.1", "1.2", "1.3", "1.4"]


async def test_who_waits_when_we_connect_is_announced_with_the_time_waited() -> None:
    async with running(AmiServer(waiting=["1.1"])) as setting:
        (event,) = await setting.listener.until(1)
        assert (setting.fakes.clock.now() - event.time).total_seconds() == 60


async def test_after_a_cut_in_the_middle_of_a_packet_nobody_is_lost_or_doubled() -> None:
    async with running() as setting:
        session = await setting.session()
        await session.send(joined("1.1"))
        await setting.listener.until(1)
        setting.server.waiting = ["1.1", "1.2", "1.3"]
        await session.send(joined("1.2")[:30])
        session.drop()
        again = await setting.session()
        await setting.listener.until(4)
        await again.send(joined("1.4"))
        events = await setting.listener.until(5)
        assert len({event.id for event in events}) == 4
        assert set(setting.calls()) == {"1.1", "1.2", "1.3", "1.4"}


async def test_a_login_that_is_refused_is_tried_again_more_and_more_slowly() -> None:
    async with running(AmiServer(secrets=["another"])) as setting:
        async with asyncio.timeout(LIMIT):
            for _ in range(12):
                await setting.server.refused.get()
        assert setting.pauses.taken[:3] == [0.5, 1.0, 2.0]
        assert max(setting.pauses.taken) == 30.0
        assert setting.listener.events == []


async def test_the_other_secret_is_tried_while_it_is_being_changed() -> None:
    async with running(AmiServer(secrets=["old-manager-secret"])) as setting:
        await setting.session()
        tried = [login["Secret"] for login in setting.server.logins]
        assert tried == ["manager-secret", "old-manager-secret"]


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n", b"\x00" * 200_000])
async def test_who_does_not_greet_as_asterisk_is_not_told_the_secret(greeting: bytes) -> None:
    async with running(AmiServer(greeting=greeting)) as setting:
        await setting.pauses.until(3)
        assert bytes(setting.server.received) == b""


async def test_over_tls_we_connect_to_whom_our_authority_vouches_for(tmp_path: Path) -> None:
    authority, context = local_certificate(tmp_path)
    told = {"tls": "yes", "ca_file": str(authority)}
    async with running(AmiServer(tls=context), told=told) as setting:
        session = await setting.session()
        await session.send(joined("1.1"))
        await setting.listener.until(1)


async def test_over_tls_nobody_else_is_told_the_secret(tmp_path: Path) -> None:
    _, context = local_certificate(tmp_path)
    async with running(AmiServer(tls=context), told={"tls": "yes"}) as setting:
        await setting.pauses.until(2)
        assert bytes(setting.server.received) == b""


async def test_garbage_and_packets_without_end_do_no_harm() -> None:
    endless = b"X: " + b"y" * (3 * limits.AMI_PACKET) + b"\r\n\r\n"
    async with running() as setting:
        session = await setting.session()
        await session.send(b"\xff\x00\xfe:\r\n\r\n", b"\r\n\r\n\n\n", endless, joined("1.1"))
        await session.send(packet(Event="\u202eOdd", Uniqueid="x"), joined("1.2"))
        await setting.listener.until(2)
        assert setting.calls() == ["1.1", "1.2"]


async def test_while_nothing_is_safe_packets_wait_and_keep_their_order() -> None:
    async with running(refusals=5) as setting:
        session = await setting.session()
        await session.send(joined("1.1"), joined("1.2"), joined("1.3"))
        events = await setting.listener.until(3)
        assert setting.calls() == ["1.1", "1.2", "1.3"]
        assert len({event.id for event in events}) == 3
        assert setting.pauses.taken[:5] == [0.5, 1.0, 2.0, 4.0, 8.0]


async def test_when_too_many_wait_we_stop_reading_and_lose_none() -> None:
    calls = [f"1.{number}" for number in range(300)]
    async with running(refusals=50, waiting=2) as setting:
        session = await setting.session()
        await session.send(*(joined(call) for call in calls))
        await setting.listener.until(300)
        assert setting.calls() == calls


async def test_a_silent_connection_is_asked_and_kept_if_it_answers() -> None:
    async with running(silence=0.01) as setting:
        session = await setting.session()
        async with asyncio.timeout(LIMIT):
            await session.action("Ping")
            await session.action("Ping")
        await session.send(joined("1.1"))
        await setting.listener.until(1)
        assert setting.server.sessions.empty()


async def test_a_dead_connection_is_given_up_and_opened_again() -> None:
    server = AmiServer(answers_pings=False)
    async with running(server, silence=0.01, patience=0.5) as setting:
        dead = await setting.session()
        async with asyncio.timeout(LIMIT):
            await dead.action("Ping")
        server.answers_pings = True
        session = await setting.session()
        await session.send(joined("1.1"))
        await setting.listener.until(1)


async def test_two_holds_in_one_call_are_two_even_where_asterisk_tells_no_time() -> None:
    hold = packet(Event="Hold", Uniqueid="2.1", Linkedid="1.1", ConnectedLineNum="+38640123456")
    async with running() as setting:
        session = await setting.session()
        await session.send(hold, hold)
        first, second = await setting.listener.until(2)
        assert first.id != second.id


async def test_the_metrics_show_the_connection_and_the_logs_no_secret() -> None:
    with structlog.testing.capture_logs() as said:
        async with running() as setting:
            session = await setting.session()
            await session.send(joined("1.1"))
            await setting.listener.until(1)
            connected = 'ingest_connected{account="main",provider="asterisk"} 1.0'
            assert connected in setting.fakes.meter.render().decode()
            session.drop()
            await setting.session()
    assert said
    assert "manager-secret" not in repr(said)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"port": "x"}, "port"), ({"port": "0"}, "port"), ({"tls": "maybe"}, "tls")],
)
def test_an_impossible_address_is_refused_at_the_start(
    options: dict[str, str], problem: str
) -> None:
    with pytest.raises(PolicyError, match=f"options.{problem}"):
        AmiClient(door(**options), Fakes().intake())


def test_a_file_of_authorities_must_be_there() -> None:
    with pytest.raises(PolicyError, match="ca_file"):
        AmiClient(door(tls="yes", ca_file="no/such.pem"), Fakes().intake())


def test_a_secret_cannot_add_lines_to_an_action() -> None:
    account = replace(
        DOOR.account, secrets={"username": (b"a",), "secret": (b"x\r\nAction: Command",)}
    )
    with pytest.raises(PolicyError, match="line break") as refused:
        AmiClient(replace(DOOR, account=account), Fakes().intake())
    assert "Command" not in str(refused.value)


def test_pauses_double_up_to_a_limit_and_differ_by_up_to_half() -> None:
    assert [pause_before(n, 0.0) for n in (0, 1, 2, 50)] == [0.5, 1.0, 2.0, 30.0]
    assert pause_before(50, 1.0) == 15.0
