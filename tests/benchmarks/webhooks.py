"""How many webhooks a second ingest acknowledges, against itself without Kafka and a plain app.

Three servers, one process each, take the same signed WhatsApp messages from the same closed loop
of connections, in turns. Ours answers when Kafka has acknowledged (acks=all).
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.request import urlopen

from deploy.local.ports import free_port
from deploy.local.process import ServerProcess
from shared.streams.admin import create_topics
from tests.benchmarks.engine import Place
from tests.benchmarks.latency import WhatsAppMessages
from tests.benchmarks.report import Figure, figure

_CONNECTIONS = 64
_MESSAGES = 6_000  # a round; about two seconds
_WARM_UP = 1_500
_SECRETS = {
    "WHATSAPP_APP_SECRET": "a secret of this benchmark",
    "WHATSAPP_VERIFY_TOKEN": "unused",
    "TWILIO_AUTH_TOKEN": "unused",
    "DEMO_SHOP_KEY_SHA256": "0" * 64,
    "THROUGHLINE_ID_KEY": "a key for benchmarks only, long enough",
}
_OURS, _FLOOR, _PLAIN = "ours", "without Kafka", "plain"


async def run(place: Place, rounds: int) -> list[Figure]:
    """Measure all three, interleaved; return both ratios."""
    for name in (_OURS, _FLOOR):
        await create_topics(place.kafka, f"{place.prefix}{name[0]}-", replication=1)
    with _servers(place) as ports:
        floors, plains, rates = [], [], []
        for port in ports.values():
            await _rate(port, _requests(_WARM_UP))
        for number in range(rounds):
            rate = {name: await _rate(port, _requests(_MESSAGES)) for name, port in ports.items()}
            floors.append(rate[_OURS] / rate[_FLOOR])
            plains.append(rate[_OURS] / rate[_PLAIN])
            rates.append(rate[_OURS])
            told = ", ".join(f"{name} {one:,.0f}/s" for name, one in rate.items())
            print(f"  round {number + 1}: {told}", flush=True)
    where = f"at {_CONNECTIONS} connections; ours {sorted(rates)[len(rates) // 2]:,.0f}/s"
    return [
        figure(
            "webhooks_acknowledged",
            floors,
            unit="×",
            target=0.65,
            direction="min",
            against=f"the same ingest answering the same bodies without Kafka, {where}",
        ),
        figure(
            "webhooks_plain_app",
            plains,
            unit="×",
            target=2.0,
            direction="min",
            against=f"FastAPI and send_and_wait (tests/benchmarks/peers/plain.py), {where}",
        ),
    ]


@contextmanager
def _servers(place: Place) -> Iterator[dict[str, int]]:
    """Run the three servers; yield their ports by name."""
    folder = Path(tempfile.mkdtemp(prefix="throughline-bench-"))
    ports = {name: free_port() for name in (_OURS, _FLOOR, _PLAIN)}
    commands = {
        _OURS: ["deploy.cli", "ingest"],
        _FLOOR: ["tests.benchmarks.peers.without_kafka"],
        _PLAIN: [
            *("uvicorn", "tests.benchmarks.peers.plain:app", "--log-level", "error"),
            *("--no-access-log", "--port", str(ports[_PLAIN])),
        ],
    }
    processes: list[ServerProcess] = []
    try:
        for name, command in commands.items():
            log = folder / f"{name.replace(' ', '-')}.log"
            argv = [sys.executable, "-m", *command]
            server = ServerProcess(name, argv, log, _environment(place, ports[name], name))
            processes.append(server)
            server.wait_until(partial(_answers, ports[name]), 30.0)
        yield ports
    finally:
        for server in processes:
            server.stop(20.0)


def _environment(place: Place, port: int, name: str) -> dict[str, str]:
    return {
        **os.environ,
        **_SECRETS,
        "THROUGHLINE_KAFKA": place.kafka,
        "THROUGHLINE_MONGODB": place.mongodb,
        "THROUGHLINE_PREFIX": f"{place.prefix}{name[0]}-",
        "THROUGHLINE_INGEST_PARTS": "doors",  # as deployments run them that care for speed
        "THROUGHLINE_LOG_LEVEL": "error",
        "THROUGHLINE_INGEST_PORT": str(port),
        "THROUGHLINE_INGEST_OPS_PORT": str(free_port()),
        "THROUGHLINE_INGEST_SMTP_PORT": str(free_port()),
        "PLAIN_KAFKA": place.kafka,
        "PLAIN_TOPIC": f"{place.prefix}contact-events",
    }


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=2.0):
            return True
    except OSError:
        return False


_messages = WhatsAppMessages(_SECRETS)


def _requests(number: int) -> list[bytes]:
    return [_request(body, headers) for body, headers in _messages.signed(number)]


def _request(body: bytes, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        "POST /hooks/whatsapp/main HTTP/1.1\r\nHost: bench\r\n"
        f"Content-Length: {len(body)}\r\n{lines}\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one was answered with 200."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._seen = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
        else:
            self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, separator, rest = self._seen.partition(b"\r\n\r\n")
        if not separator or len(rest) < len(b"{}"):  # all three answer with an empty object
            return
        self._seen = b""
        if b" 200 " not in head.split(b"\r\n")[0]:
            self.done.set_exception(AssertionError(head.decode()))
            self._transport.close()
            return
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def _rate(port: int, requests: list[bytes]) -> float:
    """Return how many of the requests were answered a second."""
    loop, left = asyncio.get_running_loop(), iter(requests)
    started = time.perf_counter()
    connections = [
        (await loop.create_connection(lambda: _Connection(left), "127.0.0.1", port))[1]
        for _ in range(_CONNECTIONS)
    ]
    await asyncio.gather(*(connection.done for connection in connections))
    assert next(left, None) is None
    return len(requests) / (time.perf_counter() - started)
