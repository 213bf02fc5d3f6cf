"""Transactions against a store that keeps saying no: who watches hears of every answer."""

import itertools
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pymongo.errors import AutoReconnect, PyMongoError

from shared.errors import Unavailable
from shared.mongo import Database
from shared.mongo.transactions import CommitUnknown, Transactions


class Session:
    """A session of a store that is away: each commit, or each abort and write, is refused."""

    def __init__(self) -> None:
        self.commits = 0

    def start_transaction(self, **_: Any) -> None:
        """Begin nothing."""

    async def commit_transaction(self) -> None:
        """Never learn what became of it."""
        self.commits += 1
        error = AutoReconnect("away")
        error._add_error_label("UnknownTransactionCommitResult")
        raise error

    async def abort_transaction(self) -> None:
        """Not even this works."""
        raise AutoReconnect("away")

    async def end_session(self) -> None:
        """Forget it."""


@pytest.fixture(autouse=True)
def _a_second_passes_with_every_look(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=partial(next, itertools.count(1.0)))
    monkeypatch.setattr("shared.mongo.transactions.time", clock)
    monkeypatch.setattr("shared.mongo.transactions._LONGEST_PAUSE", 0.001)
    monkeypatch.setattr("shared.mongo.transactions._FIRST_PAUSE", 0.001)


def transactions(session: Session, heard: list[int], deadline: float) -> Transactions:
    async def start_session(**_: Any) -> Session:
        return session

    database = SimpleNamespace(client=SimpleNamespace(start_session=start_session))
    return Transactions(cast(Database, database), deadline, alive=lambda: heard.append(1))


async def test_every_refused_try_at_a_transaction_shows_that_the_loop_lives() -> None:
    heard: list[int] = []
    tries = 0

    async def work(_: Any) -> None:
        nonlocal tries
        tries += 1
        raise AutoReconnect("away")

    with pytest.raises(Unavailable):
        await transactions(Session(), heard, deadline=5.0).run(work)
    assert tries >= 2
    assert len(heard) == tries - 1  # whoever hears the last one says so itself


async def test_every_try_to_learn_a_commits_outcome_shows_that_the_loop_lives() -> None:
    heard: list[int] = []
    session = Session()

    async def work(_: Any) -> None:
        return None

    with pytest.raises(CommitUnknown):
        await transactions(session, heard, deadline=5.0).run(work)
    assert session.commits >= 2
    assert len(heard) == session.commits  # the last one, too: the outcome is then looked for


async def test_an_error_that_no_try_can_mend_is_told_at_once() -> None:
    heard: list[int] = []

    async def work(_: Any) -> None:
        raise PyMongoError("no")

    with pytest.raises(Unavailable):
        await transactions(Session(), heard, deadline=60.0).run(work)
    assert heard == []
