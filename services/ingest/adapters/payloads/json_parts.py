"""JSON payloads and their parts: what the adapters of JSON hooks do alike."""

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from services.ingest.adapters.building import Builder, each
from services.ingest.adapters.contract import Broken, Parsed
from services.ingest.domain import limits
from services.ingest.domain.json_fields import string_at, value_at
from services.ingest.domain.text import clean
from shared.events import Event
from shared.events.contact import MessageReceived, MessageSent

T = TypeVar("T")


class Ignored(Exception):
    """A part concerns no customer; `name` is one of a few (it becomes a metric's label)."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


Translation = Iterable[Event]
"""The events of one part; translating one that concerns no customer raises `Ignored`."""


def translated(
    parts: Iterable[T],
    translate: Callable[[T], Translation],
    as_body: Callable[[T], bytes],
    room: int = limits.MAIL + limits.PART,
) -> Parsed:
    """Translate every part: into events, a name among the ignored, or a `BrokenPart`.

    `room` and what it raises are as in `each`.
    """
    ignored: list[str] = []

    def events_of(part: T) -> Iterable[Event]:
        try:
            return tuple(translate(part))
        except Ignored as told:
            ignored.append(told.name)
            return ()

    events, broken = each(parts, events_of, as_body, room)
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


def message_event(
    builder: Builder,
    message_id: str,
    text: tuple[str | None, bool],
    *,
    sent_by: str | None,
    own_id: str | None = None,
    **told: Any,
) -> Event:
    """Return a customer's message; with `sent_by` one that we sent elsewhere, as the echo it is.

    `text` is the text and whether it was cut; `own_id` the event's own id where that is not the
    message's.
    """
    echo: dict[str, Any] = {"sender": sent_by, "echo": True} if sent_by else {}
    return builder.event(
        MessageSent if sent_by else MessageReceived,
        own_id or message_id,
        message_id=message_id,
        text=text[0],
        truncated=text[1],
        **echo,
        **told,
    )


def joined(*texts: str | None, by: str = " ") -> str | None:
    """Return the texts that are there, joined, or None if there is none."""
    return by.join(text for text in texts if text) or None
