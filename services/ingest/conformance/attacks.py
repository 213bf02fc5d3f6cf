"""Right and wrong requests, derived from an adapter's scheme."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.base import TOLERANCE
from services.ingest.conformance.bodies import content, mapped, strings
from services.ingest.conformance.strangers import mixed_up, rotated, stranger, without_key
from services.ingest.conformance.subject import Subject, with_body
from services.ingest.domain import limits

_A_LOT = limits.SIGNATURE_HEADER  # more than is looked at, less than all headers may have
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Case:
    """One request and whether it is authentic; some cannot be written on a wire (`wire`)."""

    name: str
    request: RawRequest
    authentic: bool = False
    wire: bool = True


def cases(subject: Subject, request: RawRequest) -> Iterator[Case]:
    """Yield every case that the adapter's scheme allows, of one unsigned request."""
    good = subject.sign(request)
    yield Case("right", good, authentic=True)
    yield from _keys(subject, request)
    yield Case("not signed", request)
    if subject.adapter.scheme.header:
        yield from _damaged_header(good, subject.adapter.scheme.header)
    yield from _moments(subject, request, good)
    if subject.adapter.scheme.covers_body:
        yield from _altered(subject, good)


def _keys(subject: Subject, request: RawRequest) -> Iterator[Case]:
    account = subject.account
    scheme = subject.adapter.scheme

    def signed(by: ChannelAccount | None) -> RawRequest | None:
        if by is None:
            return None
        with suppress(Exception):  # secrets of another form may not sign at all
            return scheme.sign(request, by, subject.now)
        return None

    if old := signed(rotated(account)):
        yield Case("old secret while it is rotated", old, authentic=True)
    theirs = stranger(subject.folder)
    for name, by in (
        ("wrong key", theirs),
        ("another account's request", replace(theirs, name="other")),
        ("secrets mixed up", mixed_up(account)),
        ("empty key", without_key(account)),
    ):
        if wrong := signed(by):
            yield Case(name, wrong)


def _damaged_header(good: RawRequest, header: str) -> Iterator[Case]:
    (given,) = good.all(header)
    prefix = _prefix(given)
    proof = given[len(prefix) :]
    middle = len(prefix) + len(proof) // 2
    yield Case("missing", _without(good, header))
    yield Case("doubled", _and(good, header, given))
    yield Case("doubled, the other one empty", _and(good, header, b""))
    yield Case("doubled, the other one wrong", _and(good, header, _other_digit(given)))
    values = {
        "empty": b"",
        "malformed": b"!" * len(given),
        "one character wrong": _other_digit(given),
        "truncated": given[:-1],
        "prefix only": prefix or b"=",
        "wrong prefix": b"x" + given,
        "one character too long": given + b"0",
        "over-long": given + b"0" * _A_LOT,
        "twice in one value": given + proof,
        "a space inside": given[:middle] + b" " + given[middle:],
        "not ASCII": prefix + "\u0660".encode() * len(proof),
        "not text": b"\xff\xfe" + given,
    }
    if given.upper() != given:
        values["upper case"] = given.upper()
    for name, value in values.items():
        yield Case(name, _with(good, header, value))
    for name, value in {"a line break inside": b"\n", "a NUL inside": b"\x00"}.items():
        broken = given[:middle] + value + given[middle:]
        yield Case(name, _with(good, header, broken), wire=False)


def _moments(subject: Subject, request: RawRequest, good: RawRequest) -> Iterator[Case]:
    scheme, account, now = subject.adapter.scheme, subject.account, subject.now
    if not is_timed(subject):
        return
    at: Callable[[timedelta], RawRequest] = lambda age: scheme.sign(request, account, now - age)  # noqa: E731
    yield Case("almost too old", at(TOLERANCE - 10 * _SECOND), authentic=True)
    yield Case("stale", at(TOLERANCE + 10 * _SECOND))
    yield Case("a day old", at(timedelta(days=1)))
    yield Case("from the future", at(-TOLERANCE - 10 * _SECOND))
    if not scheme.time_header:
        return
    name = scheme.time_header
    yield Case("without its time", _without(good, name))
    (time,) = good.all(name)
    (later,) = at(-_SECOND).all(name)
    yield Case("time doubled", _and(good, name, time))
    for what, value in {
        "time altered": later,
        "time empty": b"",
        "time in words": b"yesterday",
        "time with digits of another script": "\u0661\u0667".encode() * 5,
        "time beyond all clocks": b"9" * 40,
        "time negative": b"-" + time,
    }.items():
        yield Case(what, _with(good, name, value))


def is_timed(subject: Subject) -> bool:
    """Say whether the scheme signs a time: in a header of its own, or as it says (`timed`)."""
    scheme = subject.adapter.scheme
    return bool(scheme.time_header or getattr(scheme, "timed", False))


def _altered(subject: Subject, good: RawRequest) -> Iterator[Case]:
    yield Case("body: a text altered", with_body(good, altered(good)))
    if not subject.adapter.scheme.header:
        return  # the proof stands in the body: only what it signs may not change
    body = good.body
    middle = len(body) // 2
    flipped = bytes((*body[:middle], body[middle] ^ 1, *body[middle + 1 :])) if body else b"x"
    yield Case("body: one byte more", with_body(good, body + b"0"))
    yield Case("body: one bit flipped", with_body(good, flipped))
    if body:
        yield Case("body: emptied", with_body(good, b""))
        yield Case("body: the last byte missing", with_body(good, body[:-1]))
    held = content(good)
    recoded = json.dumps(held, indent=7, sort_keys=True).encode()
    if held is not None and recoded != body:
        yield Case("body: JSON encoded again", with_body(good, recoded))


def altered(request: RawRequest) -> bytes:
    """Return the body with its longest text changed: the least that would matter."""
    held = content(request)
    if held is None:
        return (
            request.body[: len(request.body) // 2] + b"0" + request.body[len(request.body) // 2 :]
        )
    texts = list(strings(held))
    longest = max(texts, key=len, default="")
    changed = mapped(held, lambda text: text + "x" if text == longest else text)
    return json.dumps(changed if texts else [held], ensure_ascii=False).encode("utf-8", "replace")


def _prefix(given: bytes) -> bytes:
    for separator in (b" ", b"=", b","):
        start, found, rest = given.partition(separator)
        if found and rest.strip(b"=") and len(start) < 12:
            return start + separator
    return b""


def _other_digit(given: bytes) -> bytes:
    """Return the proof with a character in its middle replaced by another of its alphabet."""
    place = (len(_prefix(given)) + len(given)) // 2
    other = b"1" if given[place : place + 1] != b"1" else b"2"
    return given[:place] + other + given[place + 1 :]


def _without(request: RawRequest, name: str) -> RawRequest:
    return replace(request, headers=tuple(p for p in request.headers if p[0] != name))


def _and(request: RawRequest, name: str, value: bytes) -> RawRequest:
    return replace(request, headers=(*request.headers, (name, value)))


def _with(request: RawRequest, name: str, value: bytes) -> RawRequest:
    return _and(_without(request, name), name, value)
