"""Checks of size: depth, keys, parts, numbers; refused or cut within time, never an error."""

import contextlib
import time

from services.ingest.adapters.contract import Parsed, Unparseable
from services.ingest.adapters.request import RawRequest
from services.ingest.conformance.bodies import FORM, content, objects, with_extra, written
from services.ingest.conformance.report import Check
from services.ingest.conformance.subject import Absent, Failed, Subject, require, with_body
from services.ingest.domain import limits
from shared.events import encode

SLOW_SECONDS = 0.25
"""Of the processor's time, not the wall's: a busy machine makes no adapter slow."""

_TOPIC = limits.MIB  # bytes of one record, as the topics are made
_RECORDS = 8 * 1024  # bytes left for what stands around an event in its record


def timed(subject: Subject, request: RawRequest, what: str) -> Parsed | None:
    """Return what a request turns into, None for nothing; fail if it is slow or breaks parse."""
    started = time.thread_time()
    try:
        parsed = subject.parse(request)
    except Unparseable:
        parsed = None
    except Exception as error:
        raise Failed(f"{what}: parse raised {type(error).__name__}") from error
    if time.thread_time() - started > SLOW_SECONDS and _slow_again(subject, request):
        raise Failed(f"{what}: slower than {SLOW_SECONDS * 1000:.0f} ms")
    return parsed


def _slow_again(subject: Subject, request: RawRequest) -> bool:
    """Say whether it is slow twice more: what a pause of the machine is not."""
    for _ in range(2):
        started = time.thread_time()
        with contextlib.suppress(Unparseable):
            subject.parse(request)
        if time.thread_time() - started <= SLOW_SECONDS:
            return False
    return True


def _sizes(subject: Subject) -> str:
    require(subject.adapter.max_body <= limits.MAIL, "it takes bodies larger than a mail")
    plain = subject.plain()
    structured = content(plain) is not None or plain.media_type() == FORM
    most = subject.adapter.max_body
    keys = subject.adapter.max_keys
    largest = most if most <= limits.BODY_META else limits.BODY  # mails are parsed off the loop
    bodies = {
        "an empty body": b"",
        "white space": b" " * largest,
        "NULs": b"\x00" * largest,
        "JSON too deep": b"[" * 100_000,
        "objects too deep": b'{"a":' * 100_000,
        "too many keys": b"{" + b",".join(b'"%d":0' % n for n in range(2 * keys)) + b"}",
        "too many values": b"[" + b"0," * (largest // 2 - 10) + b"0]",
        "an endless string": b'"' + b"\\" * largest,
        "a number of a million digits": b"9" * min(largest, 1_000_000),
        "not a number": b'{"a": NaN}',
        "a form of very many fields": b"a=1&" * (largest // 4),
        "a multipart of very many parts": b"--boundary\r\n\r\n" * (largest // 14),
        "very many header lines": b"a: b\r\n" * (largest // 6),
        "very many senders": b"From: (a)(a)(a)(a);\r\n" * 3_000,  # headers are 64 KiB at most
    }
    for what, body in bodies.items():
        parsed = timed(subject, with_body(plain, body[:largest]), what)
        sense = parsed is None or not parsed.events or not structured  # an empty mail is a mail
        require(sense, f"{what}: taken for an event")
    return f"{len(bodies)} bodies"


def _parts(subject: Subject) -> str:
    plain = subject.plain()
    held = content(plain)
    if held is None and plain.media_type() != FORM:
        raise Absent("not JSON, not a form")
    room = subject.adapter.max_body - len(plain.body) * 2
    if held is None:
        large = with_body(plain, plain.body + b"&ZzNew=" + b"a" * min(room, limits.PART * 2))
    else:
        size = min(room // (objects(held) + 1), limits.PART * 2)  # with one in every object
        large = with_body(plain, written(with_extra(held, "a" * size)))
    for event in (timed(subject, large, "a large field") or Parsed()).events:
        require(len(encode(event)) < _TOPIC - _RECORDS, "an event is too large for its topic")
    return ""


CHECKS = (
    Check("sizes", "absurd bodies are put aside in time", _sizes, mandatory=True),
    Check("large parts", "no event is too large for its topic", _parts),
)
