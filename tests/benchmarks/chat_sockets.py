"""How much memory open chat sockets take: one process, 5 000 visitors who have all said hello.

The chat runs in a process of its own, as ingest serves it, with everything behind it in memory but
small; its resident memory is read from the kernel before the first socket and after the last.
Nothing is said, which is what most open widgets do. Two in a hundred write at the end, to show
that all of them are alive.
"""

import asyncio
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.benchmarks.engine import Place
from tests.benchmarks.report import Figure, figure
from tests.support.chat import ORIGIN, chat_house

SOCKETS = 5_000
_BOUND_MB = 400.0
_AT_ONCE = 50
_SAYING = SOCKETS // 50


async def run(_place: Place, _rounds: int) -> list[Figure]:
    """Measure the memory of a process that holds the sockets; it hardly differs between rounds."""
    parent, child = socket.socketpair()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.chat_sockets",
        str(child.fileno()),
        pass_fds=(child.fileno(),),
    )
    child.close()
    reader, writer = await asyncio.open_connection(sock=parent)
    port = int(await reader.readline())
    before = _resident_mb(process.pid)
    started = time.perf_counter()
    sockets = await _open(port)
    seconds = time.perf_counter() - started
    after = _resident_mb(process.pid)
    await asyncio.gather(*(_say(one, number) for number, one in enumerate(sockets[:_SAYING])))
    print(
        f"  {SOCKETS:,} sockets: {before:.0f} MB → {after:.0f} MB, "
        f"{(after - before) * 1024 / SOCKETS:.0f} KB each, {SOCKETS / seconds:,.0f}/s opened",
        flush=True,
    )
    for one in sockets:
        one.transport.abort()
    writer.close()
    await process.wait()
    return [
        figure(
            "chat_sockets_rss",
            [after],
            unit="MB",
            target=_BOUND_MB,
            direction="max",
            against=f"resident memory of one process with {SOCKETS} open chat sockets",
        )
    ]


async def _open(port: int) -> list[ClientConnection]:
    opening = asyncio.Semaphore(_AT_ONCE)
    url = f"ws://127.0.0.1:{port}/chat/main/socket"

    async def one() -> ClientConnection:
        async with opening:
            made = await connect(url, origin=ORIGIN, compression=None, ping_interval=None)
            await made.send(json.dumps({"type": "hello", "last": 0}))
            await _next(made, "status")
            return made

    return list(await asyncio.gather(*(one() for _ in range(SOCKETS))))


async def _say(made: ClientConnection, number: int) -> None:
    await made.send(json.dumps({"type": "message", "id": f"bench-{number:04}", "text": "Hello"}))
    await _next(made, "ack")


async def _next(made: ClientConnection, kind: str) -> None:
    frame: dict[str, Any] = {}
    while frame.get("type") != kind:
        frame = json.loads(await made.recv())


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


async def _serve(told: socket.socket) -> None:
    """Serve until the other side goes away."""
    async with chat_house(places=SOCKETS) as house:
        reader, writer = await asyncio.open_connection(sock=told)
        writer.write(f"{house.port}\n".encode())
        await reader.read()
        writer.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(socket.socket(fileno=int(sys.argv[1]))))
