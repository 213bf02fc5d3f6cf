"""Kafka is away for a minute under a hundred webhooks a second: every one gets its 2xx, and once
Kafka is back each is on the timeline exactly once.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.kafka import LocalKafka
from deploy.local.ports import free_port
from deploy.local.stack import Stack
from tests.support.deployment import Deployment, eventually
from tests.support.stack import OwnKafka

_PER_SECOND = 100
_AWAY = 60.0  # seconds: longer than every time-out of ours and of Kafka's client
_AT_MOST = 12_000  # webhooks
_BEFORE = 1.0
_AFTER = 2.0
_SECRET = b"a secret of this test"
_SAMPLE = Path("tests/support/payloads/whatsapp/text.json")


@pytest.fixture
def broker(own_kafka: OwnKafka) -> LocalKafka:
    """A Kafka this test may break."""
    return own_kafka()


@pytest.fixture
async def deployment(stack: Stack, broker: LocalKafka, tmp_path: Path) -> AsyncIterator[Deployment]:
    """A deployment on a Kafka of its own and the shared MongoDB."""
    one = Deployment(broker.bootstrap, stack.mongodb_uri, tmp_path)
    await one.create_topics()
    yield one
    await one.close()


def _webhook(payload: Any, number: int) -> bytes:
    """Return a whole HTTP request: a message of a new customer, signed."""
    value = payload["entry"][0]["changes"][0]["value"]
    value["contacts"][0].update({"wa_id": f"386{number:08}", "user_id": f"SI.{number}"})
    value["messages"][0].update({"id": f"wamid.{number}", "from": f"386{number:08}"})
    value["messages"][0]["from_user_id"] = f"SI.{number}"
    body = json.dumps(payload).encode()
    signature = hmac.new(_SECRET, body, hashlib.sha256).hexdigest()
    head = (
        "POST /hooks/whatsapp/main HTTP/1.1\r\nHost: hooks.example.com\r\n"
        "Content-Type: application/json\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Provider:
    """Sends a webhook every hundredth of a second, each once, whatever the answer.

    Its own few lines of HTTP: a full client costs more than the server it is to load.
    """

    def __init__(self, port: int) -> None:
        payload = json.loads(_SAMPLE.read_text())
        self._requests = [_webhook(payload, number) for number in range(_AT_MOST)]
        self._port, self._stop = port, asyncio.Event()
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.sent = 0
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as calls:
            started = time.monotonic()
            while not self._stop.is_set():
                calls.create_task(self._send(self._requests[self.sent]))
                self.sent += 1
                pause = started + self.sent / _PER_SECOND - time.monotonic()
                await asyncio.sleep(max(0.0, pause))
        for _, writer in self._idle:
            writer.close()

    async def _send(self, request: bytes) -> None:
        began = time.monotonic()
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = (line for line in head.lower().split(b"\r\n") if b"content-length:" in line)
        await reader.readexactly(int(next(lengths).split(b":")[1]))
        self._idle.append((reader, writer))
        self.statuses[int(head.split()[1])] += 1
        self.slowest = max(self.slowest, time.monotonic() - began)

    def stop(self) -> None:
        self._stop.set()


@pytest.mark.timeout(300)
async def test_a_minute_without_kafka_loses_and_doubles_nothing(
    deployment: Deployment, broker: LocalKafka, tmp_path: Path
) -> None:
    policy = tmp_path / "policy"
    policy.mkdir()
    (policy / "channels.yaml").write_text(
        "version: 1\n"
        "channel_accounts:\n"
        "  - provider: whatsapp\n    account: main\n"
        '    secrets: {app_secret: ["env:APP_SECRET"], verify_token: ["env:APP_SECRET"]}\n'
        "    options: {portfolio: p1}\n"
    )
    port = free_port()
    ingest = deployment.start(
        "deploy.cli ingest",
        service="ingest",
        APP_SECRET=_SECRET.decode(),
        THROUGHLINE_POLICY=str(policy),
        THROUGHLINE_INGEST_PORT=str(port),
        THROUGHLINE_INGEST_SMTP_PORT=str(free_port()),
    )
    profile = deployment.start("deploy.cli profile", service="profile")
    for one in (ingest, profile):
        await eventually(lambda one=one: _is_ready(one), f"ready: {one.log.read_text()}")
    provider = _Provider(port)
    sending = asyncio.create_task(provider.run())
    await asyncio.sleep(_BEFORE)

    await asyncio.to_thread(broker.stop)
    await asyncio.sleep(_AWAY)
    await asyncio.to_thread(broker.start)
    await asyncio.sleep(_AFTER)
    provider.stop()
    await sending

    assert provider.statuses == {200: provider.sent}
    assert provider.sent >= _PER_SECOND * _AWAY * 0.9
    assert provider.slowest < 10  # what the least patient provider waits
    database = deployment.database("profile")

    async def all_there() -> bool:
        return await database.count("timeline", {"kind": "message.received"}) >= provider.sent

    await eventually(all_there, "everything is on the timeline", seconds=90)
    entries = await database.find("timeline", {"kind": "message.received"})
    ids = Counter(entry["data"]["provider_event_id"] for entry in entries)
    assert ids == {f"wamid.{number}": 1 for number in range(provider.sent)}
    spool = deployment.database("ingest")
    assert await spool.count("spool", {}) == 0
    assert await ingest.metric("ingest_spooled_total") > 0
    for one in (database, spool):
        one.close()


async def _is_ready(process: object) -> bool:
    status, _ = await process.get("/health/ready")  # type: ignore[attr-defined]
    return bool(status == 200)
