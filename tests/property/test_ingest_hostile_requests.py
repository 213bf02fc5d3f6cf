"""Ten thousand generated requests at every adapter's door: none is a 5xx, a crash, or slow."""

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.adapters.schemes import freshchat, sns
from services.ingest.conformance.limits import SLOW_SECONDS
from shared.events import Event
from shared.streams.publisher import outgoing
from tests.support.builders_ingest import ACCOUNTS, DOORS, FakePublisher, Fakes
from tests.support.hostile_requests import RECIPES, Hostile, hostile
from tests.support.ingest_http import HOOKS, hook_app, post_raw

INPUTS = 10_000
TOGETHER = 50  # requests of one hypothesis example, which costs as much as several requests
SHRINKING = (
    60.0  # seconds; hypothesis itself would take five minutes, and CI ends a test after three
)


class Publisher(FakePublisher):
    """Writes what goes to Kafka, as the real one does."""

    async def publish(self, events: Sequence[Event]) -> None:
        for event in events:
            outgoing(event)
        await super().publish(events)


class DoorOf:
    """One provider's door; what is behind it is in memory and forgotten before every request."""

    def __init__(self, provider: str) -> None:
        self._fakes = Fakes(publisher=Publisher())
        self._account = ACCOUNTS[provider]
        self._hook = hook_app(self._fakes) if provider in HOOKS else None
        self._intake = self._fakes.intake()

    async def take(self, request: RawRequest) -> int:
        """Return the status a request is answered with; one of HTTP stands for other doors' own."""
        self._fakes.publisher.events.clear()
        self._fakes.blobs.documents.clear()
        self._fakes.blobs.kept.clear()
        account = self._account
        if self._hook is None:
            try:
                await self._intake.accept(DOORS[account.provider, account.name], request)
            except SignatureRefused:
                return 401
            return 200

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.body, "more_body": False}

        path = f"/hooks/{account.provider}/{account.name}"
        headers = [(name.encode(), value) for name, value in request.headers]
        return await post_raw(self._hook, path, headers, receive, request.query)

    def faults(self) -> list[str]:
        """Return what the adapter raised, which the door makes a dead letter."""
        letters = [event.data for event in self._fakes.publisher.events]
        errors = [getattr(letter, "error", "") for letter in letters]
        return [error for error in errors if error.startswith("adapter: ")]


class Attack:
    """Sends requests to a door one after the other, counts them, and judges the answers.

    Once a request has done harm, simpler ones are looked for until `SHRINKING` is over.
    """

    def __init__(self, provider: str, runner: asyncio.Runner) -> None:
        self._provider, self._door, self._runner = provider, DoorOf(provider), runner
        self._must_prove = provider in HOOKS
        self._harmful: dict[bytes, AssertionError] = {}
        self._first_harm = math.inf
        self.sent = self.taken = 0

    def try_out(self, recipe: bytes) -> None:
        """Send what a recipe makes; one that did harm does it whenever it is tried again."""
        if known := self._harmful.get(recipe):
            raise known
        if time.monotonic() > self._first_harm + SHRINKING:
            return
        try:
            self.send(hostile(self._provider, recipe))
        except AssertionError as error:
            self._harmful[recipe] = error
            self._first_harm = min(self._first_harm, time.monotonic())
            raise

    def send(self, given: Hostile) -> None:
        """Send a request; fail, showing it, if it does any harm."""
        status, seconds = self._answer(given.request)
        self.sent += 1
        self.taken += status == 200
        if status >= 500:
            raise harm(given, f"a {status}")
        if faults := self._door.faults():
            raise harm(given, f"parse raised {faults[0]}")
        if self._must_prove and not given.proven and status == 200:
            raise harm(given, "taken without a proof")
        if seconds > SLOW_SECONDS:
            seconds = min(self._answer(given.request)[1] for _ in range(3))
        if seconds > SLOW_SECONDS:
            raise harm(given, f"{seconds * 1000:.0f} ms of processor time")

    def _answer(self, request: RawRequest) -> tuple[int, float]:
        started = time.process_time()
        try:
            status = self._runner.run(self._door.take(request))
        except Exception as error:
            raise harm(Hostile(request, False), f"{type(error).__name__} escaped") from error
        return status, time.process_time() - started


def harm(given: Hostile, what: str) -> AssertionError:
    return AssertionError(f"{what}: {given.request!r}")


@pytest.fixture(autouse=True)
def keys_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading an RSA key takes 40 ms, and every signature of ours would read it."""
    for scheme in (freshchat, sns):
        monkeypatch.setattr(scheme, "load_pem_private_key", cache(scheme.load_pem_private_key))


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize("provider", ADAPTERS)
def test_ten_thousand_generated_requests_do_no_harm(provider: str, runner: asyncio.Runner) -> None:
    attack = Attack(provider, runner)

    @given(st.data())
    @settings(
        max_examples=INPUTS // TOGETHER,
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    def send(data: st.DataObject) -> None:
        for _ in range(TOGETHER):
            attack.try_out(data.draw(RECIPES))

    send()
    assert attack.sent >= INPUTS
    assert attack.taken >= INPUTS // 5  # or little of it would reach a parser
