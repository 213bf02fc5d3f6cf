"""Mail from strangers: measured before the standard library parses it, then parsed under limits.

The parser builds a tree by calling our message class, which counts parts and depth as they come,
so a bomb stops it early. Only short headers are ever parsed as structure.
"""

import codecs
import re
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from services.ingest.adapters.contract import Unparseable
from services.ingest.domain import limits

_HEADERS_END = re.compile(rb"\r?\n\r?\n")
_PART_HEADER = re.compile(rb"(?im)^content-[a-z-]{1,40}:[^\n]*+(?:\n[ \t][^\n]*+)*+")
# codecs that are no charsets of mail, or whose decoding is quadratic (idna, punycode)
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
_WESTERN = frozenset({"ascii", "iso8859-1", "cp1252", "iso8859-15"})


def read_mail(raw: bytes) -> EmailMessage:
    """Return the parsed mail; raise `Unparseable` for one beyond a limit, never another error."""
    _measure(raw)
    counter = _Counter()

    def new_part(policy: Any = policy.default) -> EmailMessage:
        return _CountedMessage(counter, policy)

    try:
        return BytesParser(new_part, policy=policy.default).parsebytes(raw)
    except Unparseable:
        raise
    except Exception as error:  # the parser's own faults on hostile input are many
        raise Unparseable(f"mail: {type(error).__name__}") from None


def _measure(raw: bytes) -> None:
    if len(raw) > limits.MAIL:
        raise Unparseable("mail: too large")
    if raw.count(b"\n") > limits.MAIL_LINES:
        raise Unparseable("mail: too many lines")
    end = _HEADERS_END.search(raw)
    headers = raw[: end.start() if end else len(raw)]
    if len(headers) > limits.MAIL_HEADERS:
        raise Unparseable("headers: too large")
    if any(len(line) > limits.MAIL_HEADER_LINE for line in headers.splitlines()):
        raise Unparseable("headers: line too long")
    for found in _PART_HEADER.finditer(raw):
        if found.end() - found.start() > limits.MAIL_PART_HEADER:
            raise Unparseable("part header: too long")


class _Counter:
    parts = -1  # the parser makes one to try the factory


class _CountedMessage(EmailMessage):
    """A part that knows how deep it is, and refuses to be one too many."""

    def __init__(self, counter: _Counter, policy: Any) -> None:
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


def header(mail: EmailMessage, name: str) -> str | None:
    """Return the first header of that name as it came, unfolded and cut; None without one."""
    for given, value in mail.raw_items():
        if given.lower() == name:
            written = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            return " ".join(written[: limits.MAIL_VALUE].split()) or None
    return None


def parsed_header(mail: EmailMessage, name: str) -> Any:
    """Return a header as the standard library understands it; None where it does not."""
    written = header(mail, name)
    if written is None:
        return None
    try:
        return policy.default.header_factory(name, written)
    except Exception:  # its parsers raise a dozen kinds of errors on hostile input
        return None


def leaves(mail: EmailMessage) -> Iterator[tuple[int, EmailMessage]]:
    """Yield the parts that hold content, each with its number in the order they stand.

    A message inside a message is one part: what a stranger forwards is not what he wrote.
    """
    number = 0
    waiting = [mail]
    while waiting:
        part = waiting.pop(0)
        number += 1
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting = [*part.iter_parts(), *waiting]  # type: ignore[list-item]
        else:
            yield number, part


def content_type(part: EmailMessage) -> str:
    """Return the media type of a part in lower case; text/plain where it says nonsense."""
    try:
        return part.get_content_type()
    except Exception:
        return "text/plain"


def content(part: EmailMessage) -> bytes:
    """Return a part's decoded bytes; what its encoding lies about stays as it is."""
    try:
        if part.is_multipart():
            return b"".join(bytes(inner) for inner in part.iter_parts())
        decoded = part.get_payload(decode=True)
    except Exception:
        return b""
    return decoded if isinstance(decoded, bytes) else b""


def file_name(part: EmailMessage) -> str | None:
    """Return the last component of the name a part gives itself, or None."""
    try:
        name = part.get_filename()
    except Exception:
        return None
    if not name:
        return None
    printable = "".join(c for c in str(name) if c.isprintable())
    return re.split(r"[/\\]", printable)[-1].strip() or None


def text(part: EmailMessage) -> str:
    """Return a part's text, whatever charset it claims to be in; never raises.

    A mail that says it is Western and is valid UTF-8 beyond ASCII is UTF-8: the label lies often,
    and valid UTF-8 by accident is next to impossible.
    """
    raw = content(part)
    declared = _charset(part)
    order = (declared, "utf-8") if declared not in _WESTERN else ("utf-8", declared)
    for charset in order:
        try:
            return raw.decode(charset)
        except (UnicodeError, LookupError, ValueError):
            continue
    return raw.decode("cp1252", "replace")


def _charset(part: EmailMessage) -> str:
    try:
        name = codecs.lookup(str(part.get_content_charset() or "utf-8")).name
    except Exception:
        return "utf-8"
    return "utf-8" if name in _NO_CHARSETS else name
