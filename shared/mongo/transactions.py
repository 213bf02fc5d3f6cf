"""One transaction at a time on one long-lived session, with its own deadline.

MongoDB's `with_transaction` retries for up to 120 s; a consumer must give up much sooner and look
at its records again. What MongoDB labels transient is retried here until the deadline.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from shared.errors import Unavailable
from shared.mongo.client import Database

T = TypeVar("T")

_FIRST_PAUSE = 0.01  # a conflict is over in milliseconds …
_LONGEST_PAUSE = 1.0  # … an election takes seconds
_DUPLICATE_KEY = 11_000
_TOO_LARGE = 10_334  # BSONObjectTooLarge


class WriteRefused(Exception):
    """A unique index, a guard or a limit refused the write: decide again on fresh documents."""


class CommitUnknown(Unavailable):
    """Nobody can say yet whether the transaction committed: look at what it would have changed."""


class Transactions:
    """Runs one transaction after another on a session of its own.

    `lsid` names that session, so that whoever takes over can end it on the server. `alive` is
    called whenever MongoDB, or the driver in its name, has said no and another try follows: who
    watches for progress need wait for one answer only, however many tries a transaction takes.
    """

    def __init__(
        self,
        database: Database,
        deadline: float = 30.0,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._deadline = deadline
        self._alive = alive
        self._session: Any = None

    async def lsid(self) -> Any:
        """Return the session's id on the server (BSON binary)."""
        return (await self._open()).session_id["id"]

    async def _open(self) -> Any:
        if self._session is None:
            self._session = await self._database.client.start_session(causal_consistency=False)
        return self._session

    async def run(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Run `work(session)` in a transaction and commit it; return what it returned.

        Raises `WriteRefused` when MongoDB refuses what a write says (a unique index, too large),
        `CommitUnknown` when the outcome of the commit could not be learnt, `Unavailable` when the
        deadline passed before any commit; what
        `work` itself raises comes through after the transaction was aborted.
        """
        give_up = time.monotonic() + self._deadline
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._attempt(work, give_up)
            except PyMongoError as error:
                if code := _refused(error):
                    what = "unique index" if code == _DUPLICATE_KEY else f"MongoDB error {code}"
                    raise WriteRefused(what) from None
                await self._discard_if_lost(error)
                if not _is_transient(error) or time.monotonic() + pause > give_up:
                    raise Unavailable(
                        f"MongoDB did not take a transaction ({_name(error)}).",
                        "It is tried again; check the replica set if this goes on.",
                    ) from error
            self._alive()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _attempt(self, work: Callable[[Any], Awaitable[T]], give_up: float) -> T:
        session = await self._open()
        session.start_transaction(
            read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority", j=True)
        )
        try:
            result = await work(session)
        except BaseException:
            await _abort(session)
            raise
        await self._commit(session, give_up)
        return result

    async def _commit(self, session: Any, give_up: float) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await session.commit_transaction()
            except PyMongoError as error:
                self._alive()
                if not error.has_error_label("UnknownTransactionCommitResult"):
                    raise
                if time.monotonic() + pause > give_up:
                    self._session = None
                    raise CommitUnknown(
                        f"MongoDB did not say whether a transaction committed ({_name(error)}).",
                        "The position in the database tells.",
                    ) from error
            else:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _discard_if_lost(self, error: PyMongoError) -> None:
        """Start over with a new session when the server does not know this one any more."""
        if isinstance(error, ConnectionFailure) and self._session is not None:
            session, self._session = self._session, None
            await session.end_session()

    async def close(self) -> None:
        """End the session; the server aborts what was open."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.end_session()


async def _abort(session: Any) -> None:
    try:
        await session.abort_transaction()
    except (PyMongoError, asyncio.CancelledError):
        return  # the server aborts it when its life time ends


def _refused(error: PyMongoError) -> int:
    """Return the code with which MongoDB refused one write for what it says, or 0.

    A server in trouble fails the whole command instead, and the fault is not the document's.
    """
    code = getattr(error, "code", None)
    if code in (_DUPLICATE_KEY, _TOO_LARGE):
        return int(code)
    details = getattr(error, "details", None) or {}
    writes = details.get("writeErrors", []) if isinstance(details, dict) else []
    if _is_transient(error) or not writes:
        return 0
    return int(writes[0].get("code") or 0)


def _is_transient(error: PyMongoError) -> bool:
    return (
        error.has_error_label("TransientTransactionError")
        or isinstance(error, ConnectionFailure)
        or (isinstance(error, OperationFailure) and error.has_error_label("RetryableWriteError"))
    )


def _name(error: PyMongoError) -> str:
    code = getattr(error, "code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__
