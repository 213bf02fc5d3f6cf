"""Damaged requests, thousands of them, the same on every run: refused or put aside, and in time."""

import random
import time

from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.conformance.bodies import content, damaged, distorted, written
from services.ingest.conformance.limits import SLOW_SECONDS, timed
from services.ingest.conformance.subject import Failed, Subject, require, with_body
from shared.events import encode

_SEED = 20261103
_ODD_VALUES = (b"", b"0" * 64, b"sha256=" + b"0" * 64, b"v1,", b"\xff", b"=", b" ", b"9" * 400)


def look(subject: Subject, rounds: int) -> str:
    """Send `rounds` damaged requests to verify and parse; fail on the first that harms."""
    chance = random.Random(_SEED)
    payloads = [subject.request(name) for name in subject.folder.names()]
    for count in range(rounds):
        request = _damaged(chance.choice(payloads), chance)
        what = f"damaged request {count}"
        if subject.proves:
            _verify(subject, _with_odd_headers(subject, request, chance), what)
        parsed = timed(subject, request, what)
        for event in parsed.events if parsed else ():
            try:
                encode(event)
            except Exception as error:
                raise Failed(f"{what}: its event cannot be written") from error
    return f"{rounds} requests"


def _damaged(request: RawRequest, chance: random.Random) -> RawRequest:
    kind = chance.random()
    held = content(request) if kind < 0.6 else None
    if held is not None:
        return with_body(request, written(distorted(held, chance)))
    if kind < 0.95:
        return with_body(request, damaged(request.body, chance))
    return with_body(request, chance.randbytes(chance.randint(0, 300)))


def _with_odd_headers(subject: Subject, request: RawRequest, chance: random.Random) -> RawRequest:
    scheme = subject.adapter.scheme
    names = [name for name in (scheme.header, scheme.time_header, "x", "content-type") if name]
    odd = tuple(
        (chance.choice(names), chance.choice((*_ODD_VALUES, chance.randbytes(20))))
        for _ in range(chance.randint(0, 4))
    )
    return RawRequest(request.body, (*request.headers, *odd), _query(chance))


def _query(chance: random.Random) -> str:
    return "".join(chance.choices("abc=&%0f;+#[]\u010d", k=chance.randint(0, 12)))


def _verify(subject: Subject, request: RawRequest, what: str) -> None:
    started = time.thread_time()
    try:
        subject.adapter.verify(request, subject.account, subject.now)
    except SignatureRefused:
        require(time.thread_time() - started <= SLOW_SECONDS, f"{what}: verify is slow")
        return
    except Exception as error:
        raise Failed(f"{what}: verify raised {type(error).__name__}") from error
    raise Failed(f"{what}: accepted without a proof")
