"""The parts of a mail: which are its text, which its rich text, which its attachments."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.utils import collapse_rfc2231_value

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.mail.headers import decoded, header
from services.ingest.adapters.mail.source import read_mail
from services.ingest.domain import limits
from services.ingest.domain.charsets import declared_in_html, decode
from services.ingest.domain.flowed import unflow
from services.ingest.domain.html_text import text_of_html

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,99}/[a-z0-9][a-z0-9!#$&^_.+-]{0,149}\Z")
_NAMELESS = {"text/calendar": "invite.ics", "application/ms-tnef": "winmail.dat"}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One part that holds content: its number in the mail and what it says it is.

    `number` counts every part in the order they stand, so it names the part for ever. A message
    inside a message is one leaf: what a stranger forwards is not what he wrote.
    """

    number: int
    part: Message
    media_type: str
    name: str | None
    is_file: bool
    content_id: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """What a mail says: its plain text, its rich text, and everything that came along."""

    plain: str | None = None
    rich: str | None = None
    files: tuple[Leaf, ...] = ()

    def text(self) -> str:
        """Return the plain text, made of the rich one where there is no other."""
        if self.plain and self.plain.strip():
            return self.plain
        return text_of_html(self.rich) if self.rich else self.plain or ""


def content_of(mail: Message) -> Content:
    """Return what a mail says; raise `Unparseable` if its decoded parts are too large."""
    leaves = {id(leaf.part): leaf for leaf in leaves_of(mail)}
    if sum(len(leaf.body) for leaf in leaves.values()) > limits.MAIL_DECODED:
        raise Unparseable("mail: too large when decoded")
    return _content(mail, leaves)


def leaves_of(mail: Message) -> Iterator[Leaf]:
    """Yield the parts that hold content, in the order they stand."""
    number = 0
    waiting = [mail]
    while waiting:
        part = waiting.pop(0)
        number += 1
        if _is_container(part):
            waiting = [*_children(part), *waiting]
        else:
            yield _leaf(number, part)


def file_of(raw: bytes, number: int) -> Leaf | None:
    """Return the part that the reference `blob:<id>#<number>` names, of the mail in that blob.

    None if there is no such part. Takes as long as reading the mail does; raises `Unparseable`.
    """
    return next((leaf for leaf in leaves_of(read_mail(raw)) if leaf.number == number), None)


def bytes_of_part(raw: bytes, number: int) -> bytes | None:
    """Return the decoded bytes of that part; None if there is none, or the mail is unreadable."""
    try:
        leaf = file_of(raw, number)
    except Unparseable:
        return None
    return leaf.body if leaf else None


def _is_container(part: Message) -> bool:
    return part.is_multipart() and media_type(part).startswith("multipart/")


def _children(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [p for p in payload if isinstance(p, Message)] if isinstance(payload, list) else []


def _content(part: Message, leaves: dict[int, Leaf]) -> Content:
    if not _is_container(part):
        return _of_leaf(leaves[id(part)])
    children = [_content(child, leaves) for child in _children(part)]
    files = tuple(leaf for child in children for leaf in child.files)
    if media_type(part) == "multipart/alternative":
        plains = [c.plain for c in children if c.plain and c.plain.strip()]
        riches = [c.rich for c in children if c.rich]
        return Content(plains[0] if plains else None, riches[-1] if riches else None, files)
    said = [child for child in children if child.plain is not None or child.rich is not None]
    if not any(child.rich for child in said):
        plains = [child.plain for child in said if child.plain is not None]
        return Content("\n".join(plains) if plains else None, None, files)
    rich = "<br>".join(child.rich or _as_html(child.plain or "") for child in said)
    plain = None if all(c.plain is None for c in said) else "\n".join(c.text() for c in said)
    return Content(plain, rich, files)


def _of_leaf(leaf: Leaf) -> Content:
    if leaf.is_file or leaf.media_type not in ("text/plain", "text/html"):
        return Content(files=(leaf,))
    files = (leaf,) if leaf.name else ()
    if leaf.media_type == "text/plain":
        return Content(plain=_plain(leaf), files=files)
    charset = _parameter(leaf.part, "charset") or declared_in_html(leaf.body)
    return Content(rich=decode(leaf.body, charset)[: limits.MAIL_HTML], files=files)


def _plain(leaf: Leaf) -> str:
    text = decode(leaf.body, _parameter(leaf.part, "charset"))[: limits.MAIL_HTML]
    if (_parameter(leaf.part, "format") or "").lower() != "flowed":
        return text
    return unflow(text, delete_space=(_parameter(leaf.part, "delsp") or "").lower() == "yes")


def _as_html(text: str) -> str:
    return html.escape(text.strip()).replace("\n", "<br>")


def _leaf(number: int, part: Message) -> Leaf:
    kind = media_type(part)
    name = _file_name(part) or _NAMELESS.get(kind)
    content_id = (header(part, "content-id") or "").strip("<> ")[: limits.FILE_NAME]
    return Leaf(number, part, kind, name, _is_file(part), content_id or None, content(part))


def _is_file(part: Message) -> bool:
    """Say whether a part is to be kept as a file, whatever it holds: it says so, or has a name."""
    disposition = (header(part, "content-disposition") or "").lower()
    return disposition.startswith("attachment") or "filename" in disposition


def media_type(part: Message) -> str:
    """Return the media type of a part in lower case; text/plain where it says nonsense."""
    try:
        given = part.get_content_type()
    except Exception:  # a header of raw bytes
        return "text/plain"
    if given.startswith("multipart/") and not part.is_multipart():
        return "text/plain"  # its boundary is missing: what stands there is all text
    return given if _MEDIA_TYPE.match(given) else "text/plain"


def content(part: Message) -> bytes:
    """Return a part's decoded bytes; what its encoding lies about stays as it is."""
    try:
        if part.is_multipart():
            return b"".join(bytes(inner) for inner in _children(part))
        decoded_payload = part.get_payload(decode=True)
    except Exception:  # 8 bits where none may be, encodings that are none
        return b""
    return decoded_payload if isinstance(decoded_payload, bytes) else b""


def _parameter(part: Message, name: str, of: str = "content-type") -> str | None:
    """Return a parameter of a header, put together from its pieces (RFC 2231)."""
    try:
        value = part.get_param(name, None, of)
        return None if value is None else str(collapse_rfc2231_value(value)).strip()
    except Exception:  # parameters that are nonsense
        return None


def _file_name(part: Message) -> str | None:
    """Return the last component of the name a part gives itself, or None."""
    given = _parameter(part, "filename", "content-disposition") or _parameter(part, "name")
    if not given:
        return None
    whole = given.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    printable = "".join(c for c in decoded(whole[: limits.MAIL_VALUE]) if c.isprintable())
    return re.split(r"[/\\]", printable)[-1].strip(" .")[: limits.FILE_NAME] or None
