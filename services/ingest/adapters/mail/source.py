"""Mail from strangers: measured before the standard library parses it, then parsed under limits.

The parser builds a tree by calling our message class, which counts parts and depth as they come,
so a bomb stops it early. It parses no header as structure: that is done in `mail_headers`, for
the few that matter. (Its newer policy, which does, took two thirds of the time of a typical mail.)
"""

import re
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32, compat32
from typing import Any

from services.ingest.adapters.contract import Unparseable
from services.ingest.domain import limits

_HEADERS_END = re.compile(rb"\r?\n\r?\n|\r\r")
_HEADER = re.compile(rb"[!-9;-~]+:")
_SPACED = re.compile(rb"([!-9;-~]+)[ \t]+:")
_PART_HEADER = re.compile(rb"(?im)^content-[a-z-]{1,40}:[^\n]*+(?:\n[ \t][^\n]*+)*+")

Part = Message
"""A part of a mail, or the whole, as the standard library reads it."""


def read_mail(raw: bytes) -> Part:
    """Return the parsed mail; raise `Unparseable` for one beyond a limit, never another error."""
    _measure(raw)
    counter = _Counter()

    def new_part(policy: Compat32 = compat32) -> Part:
        return _CountedMessage(counter, policy)

    try:
        return BytesParser(new_part, policy=compat32).parsebytes(_mended(raw))
    except Unparseable:
        raise
    except Exception as error:  # the parser's own faults on hostile input are many
        raise Unparseable(f"mail: {type(error).__name__}") from None


def _measure(raw: bytes) -> None:
    if len(raw) > limits.MAIL:
        raise Unparseable("mail: too large")
    if raw.count(b"\n") > limits.MAIL_LINES:
        raise Unparseable("mail: too many lines")
    headers = raw[: _end_of_headers(raw)]
    if len(headers) > limits.MAIL_HEADERS:
        raise Unparseable("headers: too large")
    if any(len(line) > limits.MAIL_HEADER_LINE for line in headers.splitlines()):
        raise Unparseable("headers: line too long")
    for found in _PART_HEADER.finditer(raw):
        if found.end() - found.start() > limits.MAIL_PART_HEADER:
            raise Unparseable("part header: too long")


def _end_of_headers(raw: bytes) -> int:
    end = _HEADERS_END.search(raw)
    return end.start() if end else len(raw)


def _mended(raw: bytes) -> bytes:
    """Return the mail without the lines that would make the parser end the headers early.

    That is a line that is no header between two that are, such as one with a name in 8 bits; and
    `Subject : x`, which some programs write. Where the headers stop making sense, the text begins.
    """
    end = _end_of_headers(raw)
    lines = raw[:end].splitlines(keepends=True)
    kept = []
    for number, line in enumerate(lines):
        line = _SPACED.sub(rb"\1:", line, count=1) if _SPACED.match(line) else line
        following = lines[number + 1] if number + 1 < len(lines) else b""
        if number == 0 or line[:1] in b" \t" or _HEADER.match(line):
            kept.append(line)
        elif not _HEADER.match(following):
            return b"".join(kept) + b"".join(lines[number:]) + raw[end:]
    return b"".join(kept) + raw[end:]


class _Counter:
    parts = -1  # the parser makes one to try the factory


class _CountedMessage(Message):
    """A part that knows how deep it is, and refuses to be one too many."""

    def __init__(self, counter: _Counter, policy: Compat32) -> None:
        super().__init__(policy)
        self.depth = 0
        counter.parts += 1
        if counter.parts > limits.MAIL_PARTS:
            raise Unparseable("mail: too many parts")

    def attach(self, payload: Any) -> None:
        """Take in a part, as the parser does for each it finds."""
        payload.depth = self.depth + 1
        if payload.depth > limits.MAIL_DEPTH:
            raise Unparseable("mail: too deep")
        super().attach(payload)
