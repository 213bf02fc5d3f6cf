"""Where requests are translated: real worker processes, and adapters that go wrong in them."""

import asyncio
import os
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from services.ingest.adapters.contract import Parsed
from services.ingest.adapters.request import RawRequest
from services.ingest.domain import limits
from services.ingest.readers import IsolatedReader, Unreadable, read_here
from shared.errors import Unavailable
from tests.support.adapters_that_fail import Fails
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, payload

ACCOUNT = replace(ACCOUNTS["email"], secrets={"password": (b"secret",)})
PADDING = b" " * limits.MAIL_ISOLATED


def large(word: bytes) -> RawRequest:
    return RawRequest(word + b" " + PADDING)


async def read(reader: IsolatedReader, request: RawRequest) -> Parsed:
    return await reader(Fails(), request, ACCOUNT, NOW, IDS)


async def process_of(reader: IsolatedReader) -> int:
    return int((await read(reader, large(b"tell"))).ignored[0])


@asynccontextmanager
async def isolated(seconds: float = 10.0) -> AsyncIterator[IsolatedReader]:
    reader = IsolatedReader(workers=1, seconds=seconds)
    try:
        yield reader
    finally:
        await reader.close()


async def test_a_large_mail_read_elsewhere_is_what_it_would_be_here() -> None:
    mail = RawRequest(payload("email", "mime-nested") + b"\r\n" + PADDING)
    async with isolated() as reader:
        assert await read(reader, mail) == await read_here(Fails(), mail, ACCOUNT, NOW, IDS)


async def test_a_small_mail_is_read_in_this_process() -> None:
    async with isolated() as reader:
        parsed = await read(reader, RawRequest(b"tell me"))
    assert parsed.ignored[0] == str(os.getpid())


async def test_a_worker_reads_one_mail_after_the_other() -> None:
    async with isolated() as reader:
        first, second = await process_of(reader), await process_of(reader)
    assert first == second != os.getpid()


async def test_a_worker_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THROUGHLINE_ID_KEY", "a secret")
    async with isolated() as reader:
        parsed = await read(reader, large(b"tell"))
    assert len(parsed.ignored) == 1


async def test_a_mail_that_kills_its_reader_is_a_dead_letter_and_the_next_is_read() -> None:
    async with isolated() as reader:
        before = await process_of(reader)
        parsed = await read(reader, large(b"die"))
        after = await process_of(reader)
    assert [(part.error, part.body) for part in parsed.broken] == [
        ("mail: its reader died", large(b"die").body)
    ]
    assert before != after


async def test_a_mail_that_takes_too_long_is_a_dead_letter_and_the_next_is_read() -> None:
    async with isolated() as reader:
        before = await process_of(reader)
        reader._seconds = 1.0  # for this mail only: the others have all the time they need
        parsed = await read(reader, large(b"spin"))
        reader._seconds = 10.0
        after = await process_of(reader)
    assert parsed.broken[0].error in ("mail: took too long", "mail: its reader died")
    assert before != after


async def test_a_mail_that_eats_memory_is_a_dead_letter() -> None:
    async with isolated() as reader:
        parsed = await read(reader, large(b"eat"))
    assert parsed.broken[0].error == "adapter: MemoryError"
    assert parsed.broken[0].body == large(b"eat").body


async def test_without_a_process_to_read_in_the_mail_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    async with isolated() as reader:
        with pytest.raises(Unavailable):
            await read(reader, large(b"tell"))


def with_file(content: bytes) -> bytes:
    return (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText\r\n--b\r\n"
        b"Content-Type: application/pdf\r\n\r\n" + content + b"\r\n--b--\r\n"
    )


@pytest.mark.parametrize("content", [b"small", b"x" * limits.MAIL_ISOLATED])
async def test_a_part_of_a_mail_is_taken_out_whatever_its_size(content: bytes) -> None:
    async with isolated() as reader:
        assert await reader.part(with_file(content), 3) == content
        assert await reader.part(with_file(content), 4) is None


async def test_a_large_mail_is_never_taken_apart_in_this_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    async with isolated() as reader:
        with pytest.raises(Unavailable):
            await reader.part(with_file(PADDING), 3)


async def test_a_mail_that_kills_who_takes_it_apart_is_unreadable_and_the_next_is_not() -> None:
    async with isolated(seconds=0.0) as reader:
        with pytest.raises(Unreadable):
            await reader.part(with_file(PADDING), 3)
    async with isolated() as reader:
        assert await reader.part(with_file(PADDING), 3) == PADDING


async def test_a_mail_that_waits_for_its_turn_is_held_once(monkeypatch: pytest.MonkeyPatch) -> None:
    dumps, made = pickle.dumps, []

    def noticed(job: Any) -> bytes:
        made.append(dumps(job))
        return made[-1]

    monkeypatch.setattr(pickle, "dumps", noticed)
    async with isolated() as reader:
        async with reader._turns:
            waiting = asyncio.create_task(read(reader, large(b"tell")))
            for _ in range(10):
                await asyncio.sleep(0)
            made_early = len(made)
        await waiting
    assert made_early == 0
    assert len(made) == 1
