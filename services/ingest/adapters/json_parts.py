"""JSON payloads and their parts: what the adapters of JSON hooks do alike."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from services.ingest.adapters.building import each
from services.ingest.adapters.contract import Broken, Parsed
from services.ingest.domain.json_fields import string_at, value_at
from services.ingest.domain.text import clean
from shared.events import Event

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ignored:
    """A part that concerns no customer; `name` is one of a few (it becomes a metric's label)."""

    name: str


Translation = Iterable[Event] | Ignored


def translated(
    parts: Iterable[T], translate: Callable[[T], Translation], as_body: Callable[[T], bytes]
) -> Parsed:
    """Translate every part: into events, a name among the ignored, or a `BrokenPart`."""
    ignored: list[str] = []

    def events_of(part: T) -> Iterable[Event]:
        found = translate(part)
        if isinstance(found, Ignored):
            ignored.append(found.name)
            return ()
        return found

    events, broken = each(parts, events_of, as_body)
    return Parsed(tuple(events), tuple(broken), tuple(ignored))


def required(part: Any, *path: str) -> str:
    """Return the string at a path, or raise `Broken` with the path."""
    found = string_at(part, *path)
    if found is None:
        raise Broken(f"{'.'.join(path)}: missing")
    return clean(found)


def fingerprint(part: Any) -> str:
    """Return an id made from a part's content, for parts their provider gives none."""
    written = json.dumps(part, sort_keys=True)
    return hashlib.blake2b(written.encode(), digest_size=16).hexdigest()


def size_at(source: Any, *names: str) -> int | None:
    """Return the first of these fields that is a size in bytes, or None."""
    sizes = (value_at(source, name) for name in names)
    return next((size for size in sizes if type(size) is int and size >= 0), None)


def places_at(source: Any, *axes: str) -> str | None:
    """Return a place as its coordinates, latitude first, or None."""
    found = [value_at(source, axis) for axis in axes]
    numbers = [str(one) for one in found if type(one) in (int, float)]
    return ", ".join(numbers) if len(numbers) == len(axes) else None


def echo_by(sender: str | None) -> dict[str, Any]:
    """Return what `MessageSent` tells more of a message we sent elsewhere; None: not of ours."""
    return {"sender": sender, "echo": True} if sender else {}


def joined(*texts: str | None, by: str = " ") -> str | None:
    """Return the texts that are there, joined, or None if there is none."""
    return by.join(text for text in texts if text) or None
