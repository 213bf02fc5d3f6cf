"""Asterisk: a client that stays connected to the manager interface and hands on what it says.

Whatever happens, the next connection begins with a snapshot of the queues: events of the time
between are lost at Asterisk, but whoever waits now is announced, under the id it had or would have
had. Packets are handed on one by one, in order; while nothing can be made safe they wait here, and
when too many do, we stop reading until there is room.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.ingest.accounts import Door, Doors
from services.ingest.adapters.request import RawRequest
from services.ingest.ami_connection import (
    AmiConnection,
    LoginRefused,
    address_of,
    connect,
)
from services.ingest.domain import limits
from services.ingest.handlers import Intake
from shared.errors import Unavailable
from shared.observability import UNWATCHED, Progress, get_logger

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]


def ami_clients(doors: Doors, intake: Intake) -> list["AmiClient"]:
    """Return a client for each channel account of Asterisk; raise `PolicyError` for a bad one."""
    return [
        AmiClient(door, intake) for (provider, _), door in doors.items() if provider == "asterisk"
    ]


def pause_before(attempt: int, chance: float) -> float:
    """Return the seconds to wait before another attempt: doubled each time, up to a limit.

    `chance`, from 0 to 1, takes away up to half, so that many clients do not come back at once.
    """
    first, longest = limits.AMI_RETRY_SECONDS
    return min(longest, first * 2.0 ** min(attempt, 16)) * (1 - chance / 2)


class AmiClient:
    """One channel account's connection; `run` never returns.

    `pause` and `chance` are asyncio's sleep and a random number, unless a test gives others;
    `silence` and `patience` are in seconds, see `limits`.
    """

    def __init__(
        self,
        door: Door,
        intake: Intake,
        *,
        pause: Pause = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        silence: float = limits.AMI_SILENCE_SECONDS,
        patience: float = limits.AMI_SECONDS,
        waiting: int = limits.AMI_WAITING,
    ) -> None:
        self._door, self._intake = door, intake
        self._address = address_of(door.account)
        self._pause, self._chance = pause, chance
        self._silence, self._patience = silence, patience
        self._waiting: asyncio.Queue[RawRequest] = asyncio.Queue(waiting)
        self._failures = self._refusals = 0
        self._log = get_logger("ami")
        self._health: Progress = UNWATCHED

    async def run(self, health: Progress = UNWATCHED) -> None:
        """Stay connected and hand on, until cancelled."""
        self._health = health
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hand_on(), name="ami hand on")
            group.create_task(self._stay_connected(), name="ami connection")

    async def _stay_connected(self) -> None:
        while True:
            self._tick("connection")
            try:
                await self._session()
            except LoginRefused as refused:
                self._refusals += 1
                self._ended("refused", str(refused))
            except (OSError, TimeoutError) as error:
                self._ended("lost", type(error).__name__)
            self._gauge(0)
            await self._pause(pause_before(self._failures, self._chance()))
            self._failures += 1

    async def _session(self) -> None:
        """Connect, log in, ask who waits, and follow what happens; ends with an exception."""
        account = self._door.account
        secrets = account.secrets["secret"]
        secret = secrets[self._refusals % len(secrets)]  # the next one, while it is being changed
        async with connect(self._address, self._patience) as connection:
            async with asyncio.timeout(self._patience):
                await connection.greet()
                early = await connection.log_in(account.secrets["username"][0], secret)
            self._refusals = 0
            self._gauge(1)
            self._log.info("connected to Asterisk", account=account.name)
            await connection.send("QueueStatus")
            await self._follow(connection, early)

    async def _follow(self, connection: AmiConnection, early: list[bytes]) -> None:
        started = f"{self._intake.clock.now():%Y%m%dT%H%M%S.%f}"
        count, asked = 0, False
        for packet in early:
            count += 1
            await self._take(packet, f"{started}-{count}")
        while True:
            self._tick("connection")
            try:
                async with asyncio.timeout(self._patience if asked else self._silence):
                    packet = await connection.packet()
            except TimeoutError:
                if asked:
                    raise
                asked = True
                await connection.send("Ping")
                continue
            self._failures, asked, count = 0, False, count + 1
            await self._take(packet, f"{started}-{count}")

    async def _take(self, packet: bytes, number: str) -> None:
        """Let an event wait to be handed on; answers to our own actions are done with."""
        if packet.startswith(b"Event:") or b"\nEvent:" in packet:
            head = (("content-type", b"text/plain"), ("packet-number", number.encode()))
            request = RawRequest(packet, head)
            await self._as_long_as_it_takes("connection", lambda: self._waiting.put(request))

    async def _hand_on(self) -> None:
        while True:
            request = await self._as_long_as_it_takes("hand on", self._waiting.get)
            attempt = 0
            while not await self._accepted(request):
                self._tick("hand on")
                await self._pause(pause_before(attempt, self._chance()))
                attempt += 1

    async def _accepted(self, request: RawRequest) -> bool:
        try:
            await self._intake.accept(self._door, request)
        except Unavailable:
            self._count("unavailable")
            return False
        self._count("accepted")
        return True

    async def _as_long_as_it_takes(self, loop: str, wait: Callable[[], Awaitable[T]]) -> T:
        """Wait for the queue: that may take hours, and nothing hangs meanwhile."""
        while True:
            self._tick(loop)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limits.AMI_SILENCE_SECONDS):
                    return await wait()

    def _tick(self, loop: str) -> None:
        self._health.tick(f"ami {self._door.account.name} {loop}")

    def _ended(self, outcome: str, why: str) -> None:
        self._count(outcome)
        self._log.warning("no connection to Asterisk", account=self._door.account.name, why=why)

    def _count(self, outcome: str) -> None:
        account = self._door.account
        self._intake.meter.count(
            "ingest_requests_total",
            provider=account.provider,
            account=account.name,
            outcome=outcome,
        )

    def _gauge(self, value: int) -> None:
        account = self._door.account
        self._intake.meter.set(
            "ingest_connected", value, provider=account.provider, account=account.name
        )
