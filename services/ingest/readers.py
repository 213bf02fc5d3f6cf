"""Where a request is translated: at once, in a thread, or in a process that may die of it.

Translating is pure, so only its time matters. A large mail is a program for other people's
parsers: it runs in a worker process with limits of processor time and memory, and a mail that
exceeds them, or kills its worker, becomes a dead letter. The process is replaced.
"""

import asyncio
import contextlib
import os
import pickle
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from services.ingest.adapters.contract import Adapter, BrokenPart, Parsed
from services.ingest.adapters.mail.parts import bytes_of_part
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain import limits
from services.ingest.mail_worker import read_without_body
from services.ingest.parse import read
from shared.errors import Unavailable
from shared.ids import KeyedIds

_OFF_LOOP = 64 * 1024  # bytes; below, parsing takes less than handing it to a thread and back
_START_SECONDS = 30.0  # importing takes one second on an idle machine
_LENGTH = struct.Struct("!Q")


class Unreadable(Exception):
    """A mail took too long, or killed the process that read it; the message says which."""


class Reader(Protocol):
    """Translates a request; never raises for what is in it, as `parse.read` does not."""

    async def __call__(
        self,
        adapter: Adapter,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Return what the request turns into; raise `Unavailable` if nobody can read it now."""
        ...


async def read_here(
    adapter: Adapter,
    request: RawRequest,
    account: ChannelAccount,
    received_at: datetime,
    ids: KeyedIds,
) -> Parsed:
    """Translate in this process: small requests at once, mail and large ones in a thread."""
    if len(request.body) < _OFF_LOOP and adapter.transport != "smtp":
        return read(adapter, request, account, received_at, ids)
    return await asyncio.to_thread(read, adapter, request, account, received_at, ids)


class IsolatedReader:
    """A `Reader` that sends large requests of adapters that say `isolated` to worker processes.

    At most `workers` run; each starts when it is first needed. A request they need more than
    `seconds` for becomes a dead letter. Everything else is read here.
    """

    def __init__(
        self, workers: int = limits.MAIL_WORKERS, seconds: float = limits.MAIL_SECONDS
    ) -> None:
        self._turns = asyncio.Semaphore(workers)
        self._idle: list[_Worker] = []
        self._seconds = seconds

    async def __call__(
        self,
        adapter: Adapter,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Return what the request turns into; raise `Unavailable` if no worker can be started."""
        if not adapter.isolated or len(request.body) < limits.MAIL_ISOLATED:
            return await read_here(adapter, request, account, received_at, ids)
        without_secrets = replace(account, secrets={})
        try:
            parsed: Parsed = await self._have_done(
                read_without_body, adapter, request, without_secrets, received_at, ids
            )
        except Unreadable as error:
            return Parsed(broken=(BrokenPart(request.body, str(error)),))
        return _with_body(parsed, request.body)

    async def part(self, raw: bytes, number: int) -> bytes | None:
        """Return the decoded bytes of a part of a mail, None if it has none of that number.

        Raises `Unreadable` for a mail that kills its reader, and `Unavailable` as reading does.
        """
        if len(raw) < limits.MAIL_ISOLATED:
            return await asyncio.to_thread(bytes_of_part, raw, number)
        part: bytes | None = await self._have_done(bytes_of_part, raw, number)
        return part

    async def _have_done(self, work: Callable[..., Any], *given: Any) -> Any:
        """Return what a worker makes of it; raise `Unreadable` if it does not survive that."""
        async with self._turns:  # a job holds the mail once more: none is made before its turn
            return await self._answer(pickle.dumps((self._seconds, work, given)))

    async def _answer(self, job: bytes) -> Any:
        worker = await self._worker()
        try:
            async with asyncio.timeout(self._seconds):
                answer = await worker.do(job)
        except TimeoutError:
            raise Unreadable("mail: took too long") from None
        except (OSError, EOFError):
            raise Unreadable("mail: its reader died") from None
        else:
            self._idle.append(worker)
            return answer
        finally:
            if worker not in self._idle:
                await worker.end()

    async def _worker(self) -> "_Worker":
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
        return await _Worker.start()

    async def close(self) -> None:
        """End the workers."""
        while self._idle:
            await self._idle.pop().end()


class _Worker:
    """One process, and the pipes to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> "_Worker":
        """Start a process and wait until it is ready; raise `Unavailable` if it never is."""
        path = os.pathsep.join(place or os.getcwd() for place in sys.path)  # noqa: PTH109
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "services.ingest.mail_worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # what a parser says of a mail is personal data
                env={"PYTHONPATH": path},  # no secret of ours is in its environment
                start_new_session=True,  # Ctrl-C is for us: it ends when we do
            )
        except OSError:
            raise _unavailable() from None
        worker = cls(process)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await worker._frame()
        except (TimeoutError, EOFError):
            await worker.end()
            raise _unavailable() from None
        except BaseException:
            await worker.end()
            raise
        return worker

    @property
    def alive(self) -> bool:
        """Return whether the process still runs, as far as is known."""
        return self._process.returncode is None

    async def do(self, job: bytes) -> Any:
        """Have a job done; raise `EOFError` or `OSError` if the process dies of it."""
        assert self._process.stdin
        self._process.stdin.write(_LENGTH.pack(len(job)))
        self._process.stdin.write(job)
        await self._process.stdin.drain()
        return pickle.loads(await self._frame())

    async def _frame(self) -> bytes:
        assert self._process.stdout
        (length,) = _LENGTH.unpack(await self._process.stdout.readexactly(_LENGTH.size))
        return await self._process.stdout.readexactly(length)

    async def end(self) -> None:
        """Kill the process and wait until nothing is left of it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            with contextlib.suppress(OSError):
                await self._process.stdout.read()  # to its end, so that the pipe is closed
        await self._process.wait()


def _with_body(parsed: Parsed, body: bytes) -> Parsed:
    """Put back the request's own bytes, which the worker does not send back: they may be 25 MiB."""
    return replace(
        parsed,
        blobs=tuple(replace(blob, body=blob.body or body) for blob in parsed.blobs),
        broken=tuple(replace(part, body=part.body or body) for part in parsed.broken),
    )


def _unavailable() -> Unavailable:
    return Unavailable("No process to read a large mail in could be started.", "Try again.")
