"""The web chat's protocol: what a visitor's frame says, and how far a session has come.

A session is one visitor's thread on one channel account, named by a secret token that only the
visitor's browser keeps. What was said in it stands in its history, numbered from 1 without gaps.
An interaction is one engagement within it: it begins with a visitor's first message, and is over
when the visitor ends it or nobody has said anything for `GAP`.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from services.ingest.domain.json_fields import string_at, value_at
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.domain.text import clean
from shared.contact_points import InvalidContactPoint, contact_point
from shared.ids import derived_id

FRAME = 16 * 1024  # bytes: the longest text in UTF-8's worst case is 16 000, and leaves 384 around
TEXT = 4_000  # characters; two pages, and what somebody types rarely has 400
NAME = 200
GAP = timedelta(hours=4)
"""Silence after which an interaction is over: longer than a shift's worst queue, shorter than a
night, so that who comes back the next day begins a new one."""

_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 random bits in base64, as `secrets` writes them
_SESSION = re.compile(r"chat_[0-9a-f]{32}")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}")
_MOST_ENTRIES = 2**53  # what a browser's numbers hold exactly


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame: who (None: somebody new), and the last entry of the history that it has."""

    token: str | None
    last: int
    locale: str | None


@dataclass(frozen=True, slots=True)
class Said:
    """A message; `id` is the visitor's own, the same each time it is sent."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class LeftAddress:
    """The form for when nobody is there: what it is about, and where to answer."""

    id: str
    contact_point: str
    text: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Finished:
    """The visitor ends the chat."""

    id: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there? (A script in a page cannot see the WebSocket's own pings.)"""


@dataclass(frozen=True, slots=True)
class Typing:
    """The visitor is writing: nobody is told."""


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A frame that cannot be taken: why, and which message it was, if it says."""

    code: str
    id: str | None = None


Frame = Hello | Said | LeftAddress | Finished | Ping | Typing | BadFrame

PROBLEMS: Mapping[str, str] = {
    "malformed": "The frame is not a JSON object with a type.",
    "unknown-type": "There is no such type of frame.",
    "hello-first": "The first frame must be hello, and only the first.",
    "bad-id": "The id must be 8 to 64 letters, digits, - or _.",
    "empty": "There is nothing in it.",
    "too-long": f"The text has more than {TEXT} characters.",
    "bad-address": "This is neither an e-mail address nor a telephone number with country code.",
    "rate-limited": "Too many frames; wait a little.",
    "unavailable": "We could not keep this yet; send it again.",
}
"""Every code of an `error` frame, with its one constant sentence."""


def read_frame(body: bytes) -> Frame:
    """Return what a visitor's frame says; never raises."""
    try:
        frame = parse_json(body)
    except Malformed:
        return BadFrame("malformed")
    kind = value_at(frame, "type")
    if not isinstance(kind, str):
        return BadFrame("malformed")
    read = _READERS.get(kind)
    return read(frame) if read else BadFrame("unknown-type", _id_of(frame))


def _hello(frame: Any) -> Frame:
    token, locale = value_at(frame, "token"), value_at(frame, "locale")
    last = value_at(frame, "last")
    counts = isinstance(last, int) and not isinstance(last, bool) and 0 <= last <= _MOST_ENTRIES
    return Hello(
        token if isinstance(token, str) and _TOKEN.fullmatch(token) else None,
        last if counts else 0,
        locale if isinstance(locale, str) and _LOCALE.fullmatch(locale) else None,
    )


def _said(frame: Any) -> Frame:
    message_id = _id_of(frame)
    text = _text(frame)
    if message_id is None:
        return BadFrame("bad-id")
    return BadFrame(text.code, message_id) if isinstance(text, BadFrame) else Said(message_id, text)


def _left_address(frame: Any) -> Frame:
    form_id = _id_of(frame)
    text = _text(frame)
    if form_id is None:
        return BadFrame("bad-id")
    if isinstance(text, BadFrame):
        return BadFrame(text.code, form_id)
    point = _address(frame)
    if point is None:
        return BadFrame("bad-address", form_id)
    name = clean(string_at(frame, "name") or "").strip()[:NAME]
    return LeftAddress(form_id, point, text, name or None)


def _finished(frame: Any) -> Frame:
    return Finished(found) if (found := _id_of(frame)) else BadFrame("bad-id")


_READERS: Mapping[str, Callable[[Any], Frame]] = {
    "hello": _hello,
    "message": _said,
    "offline": _left_address,
    "end": _finished,
    "ping": lambda _: Ping(),
    "typing": lambda _: Typing(),
}


def _id_of(frame: Any) -> str | None:
    found = value_at(frame, "id")
    return found if isinstance(found, str) and _ID.fullmatch(found) else None


def _text(frame: Any) -> str | BadFrame:
    found = value_at(frame, "text")
    text = clean(found).strip() if isinstance(found, str) else ""
    if not text:
        return BadFrame("empty")
    return BadFrame("too-long") if len(text) > TEXT else text


def _address(frame: Any) -> str | None:
    for field, scheme in (("email", "email"), ("phone", "tel")):
        written = value_at(frame, field)
        if isinstance(written, str) and written.strip():
            try:
                return contact_point(scheme, clean(written))
            except InvalidContactPoint:
                return None
    return None


def session_id(account: str, token: str) -> str:
    """Return the public name of a session: its token cannot be found from it, nor guessed."""
    return derived_id("chat", account, hashlib.sha256(token.encode()).hexdigest())


def is_session_id(written: str | None) -> bool:
    """Say whether this can be the name of a session."""
    return written is not None and _SESSION.fullmatch(written) is not None


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a session's history ends: its last number, in which interaction, and when.

    `open` says that the interaction goes on; `seq` 0 is a session in which nothing was said.
    """

    seq: int = 0
    interaction: int = 0
    open: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Engagement:
    """Which interaction a new message belongs to; `begins` it, and which one `lapsed` before."""

    number: int
    begins: bool
    lapsed: int | None = None


def engage(tail: Tail, now: datetime) -> Engagement:
    """Return the interaction that a visitor's message belongs to now."""
    if tail.open and not has_lapsed(tail, now):
        return Engagement(tail.interaction, begins=False)
    lapsed = tail.interaction if tail.open else None
    return Engagement(tail.interaction + 1, begins=True, lapsed=lapsed)


def has_lapsed(tail: Tail, now: datetime) -> bool:
    """Say whether an open interaction is over because nobody has said anything for `GAP`."""
    return tail.open and tail.at is not None and now - tail.at >= GAP


Sender = Literal["visitor", "agent", "bot", "system"]
"""Who wrote an entry of the history."""
