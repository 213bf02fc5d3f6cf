"""Requests as nobody should send them, each made from a few bytes of hypothesis (its recipe).

A provider's own payloads are changed as JSON, as a form or byte by byte; some bodies are free. One
draw for a whole request is what makes ten thousand of them affordable, and a shorter recipe with
smaller bytes makes a simpler request: that is how hypothesis shrinks one.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from hypothesis import strategies as st

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import RawRequest
from services.ingest.conformance.bodies import FORM, written
from tests.support.builders_ingest import ACCOUNTS, FOLDERS, NOW

T = TypeVar("T")
Step = str | int | None
Path = tuple[Step, ...]
WITHIN = None
"""The step of a way that goes into a text which is JSON itself."""

RECIPES = st.binary(min_size=16, max_size=64)
"""What a request is made from: about 32 bytes, of which the changes of one use up 10 to 30."""

_LONGEST = 60_000  # bytes that a piece is repeated to: more is read by processes of their own
_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e308, 2**63, 10**400, float("nan"), [], {}, [[]], [None]),
    *("", "x", "0", "-1", "1e9", "9" * 18, "\x00", "\ud800", "\u202e", "\u0130", "a" * 2_000),
    *("2026-13-45", "2026-11-03T09:15:00Z", "9999-12-31T23:59:59+14:00", "tel:+", "@", "a@b@c"),
    *({"": None}, {"id": {}}, {"a": {"a": {"a": [{}]}}}, "{}", "[[[", "<p>", "&#x0;", "https://["),
)
_PIECES = (
    *(b"", b"\x00", b"\xff", b"\xed\xa0\x80", b'"', b"\\", b"\\ud800", b"{", b"}", b"[", b"]"),
    *(b",", b":", b"&", b"=", b"%", b"%00", b"+", b"<", b">", b"\r\n", b"\r\n\r\n", b"\n", b"\t"),
    *(b"--boundary", b"--boundary--", b"=?utf-8?q?=ff?=", b"=?x?b?!?=", b": ", b";", b"@", b"9e9"),
)
_VALUES = (
    *(b"", b" ", b"=", b"\xff", b"0" * 64, b"sha256=" + b"0" * 64, b"v1,", b"Bearer ", b"9" * 400),
    *(b"1793697300", b"-1", b"gzip", b"application/json", b"application/json; charset=utf-16"),
    *(b"text/xml", b"application/x-www-form-urlencoded", b"multipart/form-data"),
    *(b"multipart/form-data;boundary=", b'multipart/form-data; boundary="'),
    b"multipart/mixed; boundary=boundary; boundary=b",
)
_QUERIES = ("", "a=1", "%ff=%", "&&==&", "\u010d=", "bodySHA256=0", "a[]=1&a[]=2", "=" * 300)


@dataclass(frozen=True)
class Hostile:
    """A request, and whether it carries a proof: one without must never be taken."""

    request: RawRequest
    proven: bool


class Choices:
    """What a recipe chooses, byte after byte; always the first once it is used up."""

    def __init__(self, recipe: bytes) -> None:
        self._rest = iter(recipe)

    def below(self, count: int) -> int:
        """Return a number from 0; `count` is at most 65 536."""
        chosen = next(self._rest, 0)
        if count > 256:
            chosen = chosen * 256 + next(self._rest, 0)
        return chosen % count

    def among(self, things: Sequence[T]) -> T:
        """Return one of several things."""
        return things[self.below(len(things))]

    def one_in(self, count: int) -> bool:
        """Say yes once in so many times; no when the recipe is used up."""
        return self.below(count) == count - 1

    def some_bytes(self, most: int) -> bytes:
        """Return a few bytes of the recipe itself."""
        return bytes(self.below(256) for _ in range(self.below(most + 1)))


def hostile(provider: str, recipe: bytes) -> Hostile:
    """Return the request that a recipe makes for a provider, with its proof in three of four."""
    choose = Choices(recipe)
    name = choose.among(_payload_names(provider))
    plain = _payload(provider, name)
    changed = choose.among(_CHANGES)(plain, choose)
    request = replace(_with_headers(provider, changed, choose), query=choose.among(_QUERIES))
    if choose.one_in(4):
        return Hostile(request, proven=False)
    return _proven(provider, request, choose)


def _proven(provider: str, request: RawRequest, choose: Choices) -> Hostile:
    """Sign a request, where its body can be proven; one in eight is touched again afterwards."""
    try:
        signed = ADAPTERS[provider].scheme.sign(request, ACCOUNTS[provider], NOW)
    except Exception:  # a proof that stands in the body needs one that can hold it
        return Hostile(request, proven=False)
    return Hostile(
        _with_headers(provider, signed, choose) if choose.one_in(8) else signed, proven=True
    )


@cache
def _payload_names(provider: str) -> list[str]:
    return FOLDERS[provider].names()


@cache
def _payload(provider: str, name: str) -> RawRequest:
    return RawRequest(FOLDERS[provider].body(name), FOLDERS[provider].headers(name))


def _with_headers(provider: str, request: RawRequest, choose: Choices) -> RawRequest:
    """Return the request with up to three headers odd, doubled or missing; often with none."""
    headers = list(request.headers)
    for _ in range(max(0, choose.below(8) - 4)):
        if headers and choose.one_in(4):
            del headers[choose.below(len(headers))]
        else:
            value = choose.among(_VALUES) if choose.below(2) else choose.some_bytes(12)
            headers.append((choose.among(_names(provider)), value.translate(None, b"\r\n\x00")))
    return replace(request, headers=tuple(headers))


@cache
def _names(provider: str) -> tuple[str, ...]:
    scheme = ADAPTERS[provider].scheme
    own = [name for name in (scheme.header, scheme.time_header) if name]
    others = ["x", "cookie", "authorization", "envelope-from", "packet-number", "content-encoding"]
    return (*own, "content-type", *others)


def _unchanged(plain: RawRequest, choose: Choices) -> RawRequest:
    return plain


def _as_content(plain: RawRequest, choose: Choices) -> RawRequest:
    """Change what a payload holds: values of its JSON, fields of its form; else its bytes."""
    if paths := _paths(plain.body):
        value = json.loads(plain.body)
        for _ in range(1 + choose.below(4)):
            value = _changed(value, choose.among(paths), choose)
        return replace(plain, body=written(value))
    if plain.media_type() == FORM:
        pairs = parse_qsl(plain.body.decode("utf-8", "replace"), keep_blank_values=True)
        return replace(plain, body=_form_changed(pairs, choose))
    return _as_bytes(plain, choose)


@cache
def _paths(body: bytes) -> tuple[Path, ...]:
    """Return the way to every place in a body's JSON; none if it is no JSON."""
    return tuple(_below(_json(body), ()))


def _below(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, str) and value.startswith(("{", "[")):
        yield from _below(_json(value), (*path, WITHIN))
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        yield (*path, key)
        yield from _below(value[key], (*path, key))


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _changed(value: Any, path: Path, choose: Choices) -> Any:
    """Change what stands at the end of a way, unless an earlier change has blocked it."""
    step, *rest = path
    if step is WITHIN:
        inner = _json(value) if isinstance(value, str) else None
        return value if inner is None else json.dumps(_changed(inner, tuple(rest), choose))
    if not _has(value, step):
        return value
    if rest:
        value[step] = _changed(value[step], tuple(rest), choose)
    elif choose.one_in(8):
        del value[step]
    else:
        value[step] = _other(value[step], choose)
    return value


def _has(value: Any, key: Step) -> bool:
    if isinstance(value, dict):
        return key in value
    return isinstance(value, list) and isinstance(key, int) and key < len(value)


def _other(value: Any, choose: Choices) -> Any:
    what = choose.below(8)
    if what == 7:
        return [value] * (1 + choose.below(30))
    if what > 3 and isinstance(value, str):
        place = choose.below(min(len(value), 65_535) + 1)
        piece = choose.among(_PIECES).decode("utf-8", "surrogateescape")
        return value[:place] + piece + value[place + choose.below(8) :]
    return deepcopy(choose.among(_ODD))  # it may be changed in its turn


def _form_changed(pairs: list[tuple[str, str]], choose: Choices) -> bytes:
    for _ in range(1 + choose.below(4)):
        place = choose.below(len(pairs) + 1)
        name = pairs[place][0] if place < len(pairs) else "ZzNew"
        odd = choose.among(_ODD)
        new = [(name, odd if isinstance(odd, str) else json.dumps(odd))]
        pairs[place : place + choose.below(2)] = new * choose.below(4)
    return urlencode(pairs, errors="surrogatepass").encode()


def _as_bytes(plain: RawRequest, choose: Choices) -> RawRequest:
    """Overwrite, remove or move up to four pieces of a body."""
    body = bytearray(plain.body)
    for _ in range(1 + choose.below(4)):
        place = choose.below(min(len(body), 65_535) + 1)
        piece = choose.among(_PIECES)
        if choose.one_in(4):
            start = choose.below(min(len(body), 65_535) + 1)
            piece = bytes(body[start : start + choose.below(64)])
        body[place : place + choose.below(32)] = piece
    return replace(plain, body=bytes(body))


def _repeated(plain: RawRequest, choose: Choices) -> RawRequest:
    """Repeat a piece of a body very often: what takes longer than it should shows here."""
    start = choose.below(min(len(plain.body), 65_535) + 1)
    piece = plain.body[start : start + 1 + choose.below(48)] or b"a"
    piece = choose.among(_PIECES) or piece if choose.below(2) else piece
    body = plain.body[:start] + piece * (_LONGEST // len(piece)) + plain.body[start:]
    return replace(plain, body=body)


def _free_bytes(plain: RawRequest, choose: Choices) -> RawRequest:
    return replace(plain, body=choose.some_bytes(40))


def _free_json(plain: RawRequest, choose: Choices) -> RawRequest:
    return replace(plain, body=written(_free(choose, 0)))


def _free(choose: Choices, depth: int) -> Any:
    what = choose.below(4) if depth < 4 else 0
    if what < 2:
        return choose.among(_ODD)
    if what == 2:
        return [_free(choose, depth + 1) for _ in range(choose.below(4))]
    return {choose.among(_KEYS): _free(choose, depth + 1) for _ in range(choose.below(4))}


_KEYS = ("id", "type", "data", "message", "messages", "text", "from", "timestamp", "event", "a", "")
_Change = Callable[[RawRequest, Choices], RawRequest]
_CHANGES: tuple[_Change, ...] = (
    *(_unchanged,) * 4,
    *(_as_content,) * 64,
    *(_as_bytes,) * 45,
    *(_free_bytes,) * 7,
    *(_free_json,) * 7,
    _repeated,
)
