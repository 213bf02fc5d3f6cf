"""How a worker takes turns: small batches keep a distance, and one that leaves claims nothing."""

from types import SimpleNamespace
from typing import Any

import pytest

from shared.streams.effects import CALM, Effects, Processor
from shared.streams.pacing import AT_ONCE
from shared.streams.worker import Worker


class Anything:
    """Takes all that is counted, measured or said."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_, **__: None


class Seen:
    """A worker whose batches do nothing, and the pauses it makes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pauses: list[float] = []
        self.claims: list[Any] = []
        scope: Any = SimpleNamespace(
            name="p", prefix="", limit_dead_letters=True, metrics=Anything(), log=Anything()
        )
        scope.alive = scope.clock = scope.health = Anything()
        processor = Processor("p", (), lambda *_: (), lambda *_: Effects(), pace=CALM)
        anything: Any = Anything()
        self.worker = Worker(processor, scope, anything, anything)
        self.worker.attach(self)
        self.waiting = 0
        self.worker.ownership._settled.set()
        monkeypatch.setattr(self.worker, "_handle", self._done)
        monkeypatch.setattr(self.worker.ownership, "lost", self.claims.append)
        monkeypatch.setattr("shared.streams.worker.asyncio.sleep", self._paused)

    async def _done(self, _records: Any) -> None:
        """Nothing."""

    async def _paused(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def highwater(self, _partition: Any) -> int:
        return self.waiting

    def hold(self) -> None:
        held: Any = SimpleNamespace(applied=-1, topic="t", partition=0)
        self.worker.ownership.held["shard"] = held


@pytest.fixture
async def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    return Seen(monkeypatch)


async def test_small_batches_keep_a_distance_after_a_few_at_once(seen: Seen) -> None:
    for _ in range(AT_ONCE - 1):
        await seen.worker.handle([1])
    assert seen.pauses == []
    for _ in range(3):
        await seen.worker.handle([1])
    assert len(seen.pauses) == 3
    assert seen.pauses == sorted(seen.pauses)
    assert seen.pauses[-1] > CALM


async def test_large_batches_and_a_worker_that_is_behind_do_not_wait(seen: Seen) -> None:
    for _ in range(2 * AT_ONCE):
        await seen.worker.handle([1] * 500)
    assert seen.pauses == []
    seen.hold()
    seen.waiting = 1_000
    for _ in range(2 * AT_ONCE):
        await seen.worker.handle([1])
    assert seen.pauses == []


async def test_a_worker_that_leaves_claims_nothing_again(seen: Seen) -> None:
    seen.worker._lose()
    assert len(seen.claims) == 1
    seen.worker._draining = True
    seen.worker._lose()
    assert len(seen.claims) == 1
    assert not seen.worker.failed.done()
