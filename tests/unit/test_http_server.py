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
    """The port of a server that gives headers a fifth of a second."""
    monkeypatch.setattr("shared.http_server._HEADERS", 0.2)
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
