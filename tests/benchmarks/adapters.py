"""How long each adapter takes to translate a customer's plain message, and whether memory stays."""

import base64
import gc
import json
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

from services.ingest.adapters.payloads.forms import with_fields
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import RawRequest
from services.ingest.conformance.subject import data_of
from tests.benchmarks.engine import Place
from tests.benchmarks.report import Figure, figure
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, payload, plain, request

_TIMES = 300  # translations of one payload a round
_EVENTS = 100_000
_MAIL_BYTES = 20_000
_MAILS = tuple(sorted(name for name, adapter in ADAPTERS.items() if adapter.isolated))
"""The providers that carry whole mails: they are measured as e-mail."""
_MAIL_FIELDS = {"mailgun": "body-mime", "sendgrid": "email"}


async def run(_place: Place, rounds: int) -> list[Figure]:
    """Measure every adapter; the slowest one is the figure, of mails and of all others."""
    slowest, medians = _slowest([name for name in ADAPTERS if name not in _MAILS], rounds)
    slowest_mail, mails = _slowest(_MAILS, rounds)
    return [
        figure(
            "adapter_parse",
            medians,
            unit="µs",
            target=150.0,
            direction="max",
            against=f"median of {_TIMES} translations of a plain message by the slowest: {slowest}",
        ),
        figure(
            "email_parse",
            [median / 1000 for median in mails],
            unit="ms",
            target=3.0,
            direction="max",
            against=f"median of {_TIMES} translations of a mail of {_MAIL_BYTES} bytes by the "
            f"slowest that takes whole mails: {slowest_mail}",
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


def _slowest(providers: Iterable[str], rounds: int) -> tuple[str, list[float]]:
    """Return the slowest of these adapters, with the median of each round in microseconds."""
    medians = {one: [_median_us(one) for _ in range(rounds)] for one in providers}
    by_speed = sorted(medians, key=lambda one: -statistics.median(medians[one]))
    for one in by_speed:
        print(f"  {one:20} {statistics.median(medians[one]):8.1f} µs", flush=True)
    return by_speed[0], medians[by_speed[0]]


def _median_us(provider: str) -> float:
    adapter, account = ADAPTERS[provider], ACCOUNTS[provider]
    given = with_whole_mail(provider) if provider in _MAILS else _request(provider)
    times = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        parsed = adapter.parse(given, account, NOW, IDS)
        times.append(time.perf_counter() - started)
    assert parsed.events, provider
    assert provider not in _MAILS or len(data_of(parsed.events[0]).attachments) == 1, provider
    return statistics.median(times) * 1_000_000


def _request(provider: str) -> RawRequest:
    return request(provider, payload(provider, plain(provider)))


def with_whole_mail(provider: str) -> RawRequest:
    """Return a request of a provider that carries the mail as it was sent (MIME)."""
    mail = a_mail()
    if provider == "email":
        return request(provider, mail)
    if provider in _MAIL_FIELDS:
        form = request(provider, payload(provider, "raw"))
        return with_fields(form, {_MAIL_FIELDS[provider]: mail.decode()})
    if provider == "postmark":
        told = {**json.loads(payload(provider, "raw")), "RawEmail": mail.decode()}
        return request(provider, json.dumps(told).encode())
    assert provider == "ses", provider
    notification = json.loads(payload(provider, "base64"))
    message = json.loads(notification["Message"])
    message["content"] = base64.b64encode(mail).decode()
    return request(provider, json.dumps({**notification, "Message": json.dumps(message)}).encode())


def a_mail() -> bytes:
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
