"""Changing payloads: replacing a text wherever it stands, damaging, reversing, nesting."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

from services.ingest.adapters.request import RawRequest
from services.ingest.conformance.subject import with_body

FORM = "application/x-www-form-urlencoded"


def content(request: RawRequest) -> Any:
    """Return the body as JSON, or None if it is none."""
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        return None


def written(value: Any) -> bytes:
    """Return JSON as bytes; lone surrogates are escaped, as JSON writes them."""
    return json.dumps(value).encode()


def with_text(request: RawRequest, old: str, new: str) -> RawRequest | None:
    """Return the request with one text replaced wherever it stands, or None if it is not there."""
    held = content(request)
    if held is not None:
        swapped = mapped(held, lambda text: text.replace(old, new))
        return with_body(request, written(swapped)) if swapped != held else None
    if request.media_type() == FORM:
        return _with_form_text(request, old, new)
    plain = old.encode()
    if plain not in request.body:
        return None
    return with_body(request, request.body.replace(plain, new.encode("utf-8", "replace")))


def _with_form_text(request: RawRequest, old: str, new: str) -> RawRequest | None:
    pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    swapped = [(name, value.replace(old, new)) for name, value in pairs]
    if swapped == pairs:
        return None
    return with_body(request, urlencode(swapped, errors="surrogatepass").encode())


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return JSON with every text (JSON within a text too) changed; keys stay."""
    if isinstance(value, dict):
        return {key: mapped(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [mapped(inner, change) for inner in value]
    if not isinstance(value, str):
        return value
    inner = _json_within(value)
    if inner is None:
        return change(value)
    swapped = mapped(inner, change)
    return value if swapped == inner else json.dumps(swapped)


def strings(value: Any) -> Iterator[str]:
    """Yield every text in JSON, of JSON within a text those inside."""
    if isinstance(value, str):
        inner = _json_within(value)
        yield from (value,) if inner is None else strings(inner)
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from strings(each)


def _json_within(text: str) -> Any:
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def reversed_lists(value: Any) -> Any:
    """Return JSON with every list of objects in the opposite order."""
    if isinstance(value, dict):
        return {key: reversed_lists(inner) for key, inner in value.items()}
    if isinstance(value, list):
        inner = [reversed_lists(each) for each in value]
        return inner[::-1] if all(isinstance(each, dict) for each in inner) else inner
    return value


def lists_of_objects(value: Any) -> Iterator[list[Any]]:
    """Yield every list that holds two or more objects, outermost first."""
    if isinstance(value, list):
        if len(value) > 1 and all(isinstance(each, dict) for each in value):
            yield value
        for each in value:
            yield from lists_of_objects(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from lists_of_objects(each)


def objects(value: Any) -> int:
    """Return how many objects there are in JSON."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, dict) + sum(map(objects, inner))


def with_extra(value: Any, extra: Any) -> Any:
    """Return JSON with an unheard-of field in every object."""
    if isinstance(value, dict):
        return {**{key: with_extra(inner, extra) for key, inner in value.items()}, "zz_new": extra}
    if isinstance(value, list):
        return [with_extra(inner, extra) for inner in value]
    return value


def damaged(body: bytes, chance: random.Random) -> bytes:
    """Return a body with up to five pieces of it overwritten, removed or doubled."""
    changed = bytearray(body)
    for _ in range(chance.randint(1, 5)):
        start = chance.randint(0, len(changed))
        changed[start : start + chance.randint(0, 12)] = chance.randbytes(chance.randint(0, 8))
    return bytes(changed)


_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**63, 10**400, "", "x", "\x00", "\ud800", "1e9", [], {}),
    *([[]], [None], {"": None}, "a" * 2_000, "2026-13-45", "\u202e", "-1", "999999999999999999"),
)


def distorted(value: Any, chance: random.Random) -> Any:
    """Return JSON with some of its values replaced by odd ones."""
    if chance.random() < 0.06:
        return chance.choice(_ODD)
    if isinstance(value, dict):
        return {
            key: distorted(inner, chance)
            for key, inner in value.items()
            if chance.random() > 0.02  # or the field is not there at all
        }
    if isinstance(value, list):
        return [distorted(inner, chance) for inner in value] * chance.choice((1, 1, 1, 2))
    return value
