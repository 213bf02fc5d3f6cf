"""Attacks on a proof that stands in the body: its fields, one by one, in a form or in JSON."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from services.ingest.adapters.request import RawRequest
from services.ingest.conformance.bodies import content, other_digit
from services.ingest.conformance.subject import with_body
from services.ingest.domain import limits

_LONG = limits.SIGNATURE_HEADER


@dataclass(frozen=True)
class Proof:
    """A signed request and the fields of its body that prove it, the signature first."""

    request: RawRequest
    fields: tuple[str, ...]

    @property
    def found(self) -> bool:
        """Say whether the fields are there, in JSON or in a form of names and values."""
        return self.in_json or {name for name, _ in self._pairs()} >= set(self.fields)

    def value(self, name: str) -> str:
        """Return what a field holds."""
        found = self._object() or dict(self._pairs())
        return str(found[name])

    def having(self, name: str, value: Any) -> RawRequest:
        """Return the request with another value in a field; a form holds texts only."""
        if self._object() is None:
            pairs = [(key, value if key == name else given) for key, given in self._pairs()]
            return self._form(pairs)
        return self._json({name: value})

    def without(self, name: str) -> RawRequest:
        """Return the request without a field."""
        if self._object() is None:
            return self._form([pair for pair in self._pairs() if pair[0] != name])
        return self._json({}, leave_out=name)

    def with_two(self, name: str, other: str) -> RawRequest | None:
        """Return the request with a second field of that name; None for JSON, which has one."""
        if self._object() is not None:
            return None
        return self._form([*self._pairs(), (name, other)])

    @property
    def in_json(self) -> bool:
        """Say whether the body is JSON."""
        return self._object() is not None

    def _pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self.request.body.decode("utf-8", "replace"), keep_blank_values=True)

    def _form(self, pairs: list[tuple[str, str]]) -> RawRequest:
        return with_body(self.request, urlencode(pairs).encode())

    def _object(self) -> dict[str, Any] | None:
        """Return the object in a JSON body that holds the fields, at its top or right below it."""
        held = content(self.request)
        if not isinstance(held, dict):
            return None
        places = [held, *(inner for inner in held.values() if isinstance(inner, dict))]
        return next((one for one in places if one.keys() >= set(self.fields)), None)

    def _json(self, changes: dict[str, Any], leave_out: str | None = None) -> RawRequest:
        held, found = content(self.request), self._object() or {}
        kept = {name: value for name, value in found.items() if name != leave_out}
        changed = {**kept, **changes}
        if held == found:
            told = changed
        else:
            told = {key: changed if inner == found else inner for key, inner in held.items()}
        return with_body(self.request, json.dumps(told).encode())


def damaged_fields(
    request: RawRequest, fields: tuple[str, ...], time: str | None
) -> Iterator[tuple[str, RawRequest]]:
    """Yield requests that prove nothing any more, each with the name of what was done to it.

    `time` is the field among them that holds the signed time, if one does. A multipart form is
    left alone: an adapter that takes one takes the other kind too, and reads both alike.
    """
    proof = Proof(request, fields)
    if not proof.found:
        return
    for name in fields:
        given = proof.value(name)
        yield f"{name} missing", proof.without(name)
        yield f"{name} empty", proof.having(name, "")
        yield f"{name} altered", proof.having(name, other_digit(given.encode()).decode())
        yield f"{name} malformed", proof.having(name, "!" * len(given))
        for what, second in (("", given), (", the other one wrong", "x" + given)):
            if doubled := proof.with_two(name, second):
                yield f"{name} doubled{what}", doubled
        if proof.in_json:
            yield f"{name} a list", proof.having(name, [given])
            yield f"{name} a number", proof.having(name, 1)
            yield f"{name} null", proof.having(name, None)
    for what, value in _damaged(proof.value(fields[0])).items():
        yield f"{fields[0]} {what}", proof.having(fields[0], value)
    for what, value in _times(proof.value(time)).items() if time else ():
        yield f"{time} {what}", proof.having(time or "", value)


def _damaged(given: str) -> dict[str, str]:
    middle = len(given) // 2
    values = {
        "truncated": given[:-1],
        "one character too long": given + "0",
        "over-long": given + "0" * _LONG,
        "twice in one value": given * 2,
        "with a space inside": f"{given[:middle]} {given[middle:]}",
        "with a line break inside": f"{given[:middle]}\n{given[middle:]}",
        "with a NUL inside": f"{given[:middle]}\x00{given[middle:]}",
        "with something before it": f"x{given}",
        "not ASCII": "\u0660" * len(given),
    }
    return values if given.upper() == given else {**values, "in upper case": given.upper()}


def _times(given: str) -> dict[str, str]:
    return {
        "in words": "yesterday",
        "in digits of another script": "\u0661\u0667" * 5,
        "beyond all clocks": "9" * 40,
        "negative": f"-{given}",
    }
