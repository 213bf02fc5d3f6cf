"""A unit that is still running when its shards are given up: committed, but not published here."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from shared.streams.committer import Committer
from shared.streams.effects import Effects
from shared.streams.outbox import Parcel
from shared.streams.positions import Fenced
from shared.streams.sending import Outgoing
from shared.streams.unit import Decided, First, Unit

NOW = datetime(2026, 11, 3, 9, 15, tzinfo=UTC)
UNIT = Unit({})


def parcel(number: int) -> Parcel:
    record = Outgoing("contact-events", b"conv_1", str(number).encode())
    return Parcel(f"parcel {number}", "shard", (record,), NOW)


class House:
    """A committer whose units decide one record each, and a Kafka that answers when told to."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.during: list[Any] = []
        self.asked, self.answers = asyncio.Event(), asyncio.Event()
        self._number = 0
        scope: Any = SimpleNamespace(
            name="p", clock=SimpleNamespace(now=lambda: NOW), metrics=Numbers(), complain=print
        )
        parts: Any = (scope, None, self, self, SimpleNamespace(held={"shard": 1}), Numbers())
        self.committer = Committer(*parts, timers_changed=lambda: None)

    def look(self, _unit: Unit, _now: datetime) -> First:
        return First([])

    async def apply(self, _unit: Unit, _now: datetime, _first: First) -> Decided:
        self._number += 1
        for call in self.during:
            call()
        return Decided(Effects(), [parcel(self._number)])

    def take_refused(self) -> int:
        return 0

    async def send(self, records: Any) -> None:
        self.sent += [record.value for record in records]
        self.asked.set()
        await self.answers.wait()


class Numbers:
    """Takes all that is counted, measured, or put into a heap."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_, **__: None


async def test_units_are_published_in_order() -> None:
    house = House()
    house.answers.set()
    await house.committer.commit(UNIT)
    await house.committer.commit(UNIT)
    await house.committer.published()
    assert house.sent == [b"1", b"2"]


async def test_a_unit_given_up_while_it_was_stored_is_left_to_who_claims_its_shard() -> None:
    house = House()
    house.answers.set()
    house.during = [house.committer.forget]
    with pytest.raises(Fenced):
        await house.committer.commit(UNIT)
    await house.committer.published()
    assert house.sent == []


async def test_a_unit_given_up_while_the_one_before_was_published_does_not_follow() -> None:
    house = House()
    await house.committer.commit(UNIT)
    second = asyncio.create_task(house.committer.commit(UNIT))
    await house.asked.wait()
    house.committer.forget()
    house.answers.set()
    with pytest.raises(Fenced):
        await second
    assert house.sent == [b"1"]
