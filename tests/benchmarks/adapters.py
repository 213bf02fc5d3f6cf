"""How long each adapter takes to translate a customer's plain message, and whether memory stays."""

import base64
import gc
import statistics
import time
from pathlib import Path

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import RawRequest
from tests.benchmarks.engine import Place
from tests.benchmarks.report import Figure, figure
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, payload, plain, request

_TIMES = 300  # translations of one payload a round
_EVENTS = 100_000
_MAIL_BYTES = 20_000


async def run(_place: Place, rounds: int) -> list[Figure]:
    """Measure every adapter; the slowest one is the figure."""
    medians = {
        provider: [_median_us(provider) for _ in range(rounds)]
        for provider in ADAPTERS
        if provider != "email"
    }
    for provider, found in sorted(medians.items(), key=lambda item: -max(item[1])):
        print(f"  {provider:20} {statistics.median(found):8.1f} µs", flush=True)
    slowest = max(medians, key=lambda provider: statistics.median(medians[provider]))
    mail = [_median_us("email", _mail()) / 1000 for _ in range(rounds)]
    return [
        figure(
            "adapter_parse",
            medians[slowest],
            unit="µs",
            target=150.0,
            direction="max",
            against=f"median of {_TIMES} translations of a plain message by the slowest: {slowest}",
        ),
        figure(
            "email_parse",
            mail,
            unit="ms",
            target=3.0,
            direction="max",
            against=f"median of {_TIMES} translations of a mail of {_MAIL_BYTES} bytes",
        ),
        figure(
            "adapter_memory_growth",
            [_growth_mb()],
            unit="MB",
            target=5.0,
            direction="max",
            against=f"resident memory from {_EVENTS // 10} to {_EVENTS} events, all in turn",
        ),
    ]


def _median_us(provider: str, body: bytes | None = None) -> float:
    adapter, account = ADAPTERS[provider], ACCOUNTS[provider]
    given = _request(provider, body)
    times = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        parsed = adapter.parse(given, account, NOW, IDS)
        times.append(time.perf_counter() - started)
    assert parsed.events, provider
    return statistics.median(times) * 1_000_000


def _request(provider: str, body: bytes | None = None) -> RawRequest:
    return request(provider, payload(provider, plain(provider)) if body is None else body)


def _mail() -> bytes:
    """Return a mail as people send it: text, HTML and a small picture, 20 KB in all."""
    said = "Dear team,\n\nwhere is my order? I have waited since Monday.\n\nAna\n" * 30
    html = "".join(f"<p>{line}</p>" for line in said.splitlines())
    picture = base64.encodebytes(bytes(range(256)) * 40).decode()
    head = (
        "From: Ana Novak <ana.novak@example.com>\r\nTo: support@example.com\r\n"
        "Subject: Where is my order?\r\nMessage-ID: <bench-1@mail.example.com>\r\n"
        "Date: Tue, 3 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    )
    parts = (
        ("text/plain; charset=utf-8", said),
        ("text/html; charset=utf-8", html),
        ("image/png\r\nContent-Transfer-Encoding: base64", picture),
    )
    body = "".join(f"--b\r\nContent-Type: {kind}\r\n\r\n{part}\r\n" for kind, part in parts)
    return (head + body + "--b--\r\n").encode()[: _MAIL_BYTES * 2]


def _growth_mb() -> float:
    """Return by how much resident memory grows over the last nine tenths of the events."""
    requests = {provider: _request(provider) for provider in ADAPTERS}
    before = 0.0
    for number in range(_EVENTS // len(requests)):
        if number == _EVENTS // len(requests) // 10:
            before = _resident_mb()
        for provider, given in requests.items():
            ADAPTERS[provider].parse(given, ACCOUNTS[provider], NOW, IDS)
    return _resident_mb() - before


def _resident_mb() -> float:
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
