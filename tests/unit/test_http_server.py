"""uvicorn as we run it, over real sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from deploy.local.ports import free_port
from shared.http_server import Server


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """The port of a server that gives headers one second."""
    monkeypatch.setattr("shared.http_server._HEADERS", 1.0)
    async for number in _serving():
        yield number


@pytest.fixture
async def soon_idle(port: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """The port of a server that keeps an idle connection for one second."""
    monkeypatch.setattr("shared.http_server._KEEP_ALIVE", 1)
    async for number in _serving():
        yield number


async def _serving() -> AsyncIterator[int]:
    number = free_port()
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("here"))])
    server = Server(app, "127.0.0.1", number)
    serving = asyncio.create_task(server.serve())
    await server.answering(serving)
    yield number
    await server.stop()
    await serving


async def test_headers_that_never_end_end_the_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    async with asyncio.timeout(30):
        assert await reader.read() == b""
    writer.close()


async def test_a_request_after_another_has_its_time_again(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(30):
            assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
    writer.write(b"GET / HTTP/1.1\r\nHost")
    async with asyncio.timeout(30):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"G"], ids=["nothing", "an empty line", "a byte"])
async def test_a_connection_without_a_request_is_ended(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(30):
        assert await reader.read() == b""
    writer.close()


async def test_a_connection_that_had_a_request_waits_longer_for_the_next(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for pause in (0, 1.5):
        await asyncio.sleep(pause)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(30):
            assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"\r\n"], ids=["nothing", "an empty line"])
async def test_an_idle_connection_is_ended_after_its_time(soon_idle: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", soon_idle)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(30):
        await reader.readuntil(b"here")
        writer.write(sent)
        assert await reader.read() == b""
    writer.close()
