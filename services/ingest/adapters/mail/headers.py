"""Headers of a mail as people's programs really write them: found, decoded, never an exception."""

import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.message import Message
from email.policy import default
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from services.ingest.domain import limits
from services.ingest.domain.charsets import decode
from services.ingest.domain.text import clean
from shared.clock import sound
from shared.contact_points import InvalidContactPoint, contact_point

_WORD = re.compile(
    r"=\?([A-Za-z0-9_.:+-]{1,60})(?:\*[A-Za-z0-9-]{0,40})?\?([bBqQ])\?([^?\r\n]{0,2000})\?="
)
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,250})>")
_BARE_ID = re.compile(r"[^<>\s]{3,250}\Z")
_MAILBOX = r"[A-Za-z0-9_.+-]{1,64}@[A-Za-z0-9.-]{1,250}"
_PLAIN_ADDRESS = re.compile(
    r"(?:(?:(?:\"([^\"\\]{1,200})\"|([^\"(),:;<>\\\[\]]{1,200}?)) )?"
    rf"<({_MAILBOX})>|({_MAILBOX}))(?: ?, ?|\Z)"
)
_IN_BRACKETS = re.compile(r"<([^<>\s@]{1,64}@[^<>\s@]{1,255})>")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}\Z")
_QUOTED = re.compile(rb"=([0-9A-Fa-f]{2})")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}\Z")


def header(part: Message, name: str, limit: int = limits.MAIL_VALUE) -> str | None:
    """Return the first header of that name as it came, unfolded and cut; None without one."""
    return next(_values(part, name, limit), None)


def headers(part: Message, name: str, limit: int = limits.MAIL_VALUE) -> list[str]:
    """Return every header of that name that is not empty, unfolded and cut."""
    return list(_values(part, name, limit))


def _values(part: Message, name: str, limit: int) -> Iterator[str]:
    for given, value in part.raw_items():
        if given.lower() == name:
            raw = str(value).encode("utf-8", "surrogateescape")
            unfolded = " ".join(decode(raw[: 4 * limit], None).split())[:limit]
            if unfolded:
                yield unfolded


def decoded(written: str) -> str:
    """Return a header's text with its encoded words (RFC 2047) decoded, each if it can be.

    Neighbours in one charset are put together first: programs cut characters in two.
    """
    pieces: list[str | tuple[str, bytes]] = []
    position = 0
    for found in _WORD.finditer(written):
        between = written[position : found.start()]
        raw = _word(found.group(2), found.group(3))
        position = found.end()
        neighbours = raw is not None and bool(pieces) and isinstance(pieces[-1], tuple)
        if between.strip() or not neighbours:  # white space between two of them is none
            pieces.append(between)
        if raw is None:
            pieces.append(found.group())
        elif pieces and isinstance(pieces[-1], tuple) and pieces[-1][0] == found.group(1).lower():
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + raw)
        else:
            pieces.append((found.group(1).lower(), raw))
    pieces.append(written[position:])
    texts = [piece if isinstance(piece, str) else decode(piece[1], piece[0]) for piece in pieces]
    return "".join(texts)


def _word(encoding: str, written: str) -> bytes | None:
    if encoding in "qQ":
        raw = written.replace("_", " ").encode("utf-8", "surrogatepass")
        return _QUOTED.sub(lambda found: bytes.fromhex(found.group(1).decode()), raw)
    if not _BASE64.match(written):
        return None
    try:
        return binascii.a2b_base64(written + "=" * (-len(written) % 4))
    except (binascii.Error, ValueError):
        return None


def addresses(part: Message, name: str) -> list[tuple[str, str | None]]:
    """Return the contact points that a header names, each with the name beside it.

    Of every header of that name, groups opened; what is no address is left out, and so is what
    comes after more than anybody needs.
    """
    found = []
    named = _named(_values(part, name, limits.MAIL_HEADERS))  # cut, the last would be another's
    for address, display in islice(named, limits.MAIL_ADDRESSES):
        point = email_point(address)
        if point:
            found.append((point, clean(decoded(display)).strip() or None))
    return found


def _named(values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the address and the name of each of those that headers hold."""
    room = limits.MAIL_GRAMMAR
    for written in values:
        position = 0
        while plain := _PLAIN_ADDRESS.match(written, position):  # nearly all are
            quoted, unquoted, in_brackets, bare = plain.groups()
            yield in_brackets or bare, quoted or unquoted or ""
            position = plain.end()
        rest = written[position:]
        if len(rest) > room:
            rest = rest[:room].rpartition(",")[0]
        room -= len(rest)
        yield from _by_the_whole_grammar(rest) if rest else ()


def _by_the_whole_grammar(written: str) -> Sequence[tuple[str, str]]:
    """Read comments, groups and what else RFC 5322 allows; it takes up to 30 us a character."""
    try:
        parsed: Any = default.header_factory("to", written)
        found = [(one.addr_spec, one.display_name) for one in parsed.addresses if one.domain]
    except Exception:  # its parsers raise a dozen kinds of errors on hostile input
        found = []
    return found or [(address, "") for address in _IN_BRACKETS.findall(written)[:1]]


def email_point(address: str) -> str | None:
    """Return the contact point of an address, None if it is none."""
    try:
        return contact_point("email", clean(address).strip().strip("<>"))
    except InvalidContactPoint:
        return None


def message_ids(part: Message, name: str) -> tuple[str, ...]:
    """Return the ids in Message-ID, In-Reply-To or References, without their angle brackets.

    The first and the newest where there are too many; a lone id without brackets counts.
    """
    written = header(part, name, limits.MAIL_HEADERS) or ""
    found = _MESSAGE_ID.findall(written)
    if not found and _BARE_ID.match(written):
        found = [written]
    if len(found) > limits.MAIL_THREAD:
        found = [found[0], *found[1 - limits.MAIL_THREAD :]]
    return tuple(found)


def subject(part: Message) -> str | None:
    """Return the decoded subject in one line; None without one."""
    written = header(part, "subject")
    return (" ".join(decoded(written).split()) or None) if written else None


def date(part: Message) -> datetime | None:
    """Return the Date as the sender claims it, aware and UTC; None where it makes no sense."""
    try:
        claimed = parsedate_to_datetime(header(part, "date") or "")
        return sound(claimed if claimed.tzinfo else claimed.replace(tzinfo=UTC))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def language(part: Message) -> str | None:
    """Return the language tag that the mail says it is written in, if it names one."""
    written = (header(part, "content-language") or "").partition(",")[0].strip()
    return written if _LANGUAGE.match(written) else None
