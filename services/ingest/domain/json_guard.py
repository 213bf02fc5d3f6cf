"""JSON from strangers: counted before it is parsed, so that no body can exhaust us."""

import json
import math
import re
from typing import Any

from services.ingest.domain import limits
from shared.errors import ThroughlineError

# Possessive: linear whatever the input. A string without its end runs to the end.
_STRING = re.compile(rb'"(?>[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)
_STRUCTURE = b"[]{}:,"
_OTHER = bytes(set(range(256)) - set(_STRUCTURE))
_INT64 = 2**63


class Malformed(ThroughlineError):
    """A body is not JSON that we are willing to read."""


def parse_json(body: bytes, keys: int = limits.JSON_KEYS) -> Any:
    """Return what the JSON text holds; raise `Malformed` for anything else, never another error.

    Numbers beyond 64 bits come back as strings (no store of ours could keep them); `NaN` and
    `Infinity` are refused. Lone surrogates survive, so that one broken part stays one.
    More than `keys` keys are refused; a provider whose batches are large may need more than most.
    """
    _count(body, keys)
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Malformed("The body is not valid JSON.", "Send JSON in UTF-8.") from None


def _count(body: bytes, keys: int) -> None:
    """Refuse what is too deep or too rich; most bodies are settled by counting bytes alone."""
    opened = body.count(b"[") + body.count(b"{")
    keys_at_most, values_at_most = body.count(b":"), opened + body.count(b",")
    if opened > limits.JSON_DEPTH or keys_at_most > keys or values_at_most > limits.JSON_VALUES:
        _count_tokens(body, keys)


def _count_tokens(body: bytes, keys: int) -> None:
    """Count outside of strings, which is what is really opened, named and held."""
    quotes = 4 * (keys + limits.JSON_VALUES)  # twice what strings need, for escaped ones
    if body.count(b'"') > quotes:
        raise _too_rich(keys)
    structure = _STRING.sub(b"", body).translate(None, _OTHER)
    opened = structure.count(b"[") + structure.count(b"{")
    if structure.count(b":") > keys or opened + structure.count(b",") > limits.JSON_VALUES:
        raise _too_rich(keys)
    depth = 0
    for token in structure:
        depth += (token in b"[{") - (token in b"]}")
        if depth > limits.JSON_DEPTH:
            raise _too_rich(keys)


def _too_rich(keys: int) -> Malformed:
    return Malformed(
        "The JSON is too deep or has too many keys.",
        f"Stay within {limits.JSON_DEPTH} levels and {keys} keys.",
    )


def _parse_int(digits: str) -> int | str:
    if len(digits) > 20:
        return digits
    number = int(digits)
    return number if -_INT64 <= number < _INT64 else digits


def _parse_float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _refuse_constant(_name: str) -> Any:
    raise ValueError


_DECODER = json.JSONDecoder(
    parse_int=_parse_int, parse_float=_parse_float, parse_constant=_refuse_constant
)
