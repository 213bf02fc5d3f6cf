"""A mail made whole again from the parts a provider took it into, so that all mail is read alike.

What comes out is not the mail byte for byte, but every header, text and file that the provider
gave, in the form of RFC 5322 that `translate_mail` reads.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from services.ingest.domain import limits
from services.ingest.domain.text import clean

_NAME = re.compile(r"[!-9;-~]{1,100}")
_OURS = frozenset({"mime-version", "content-type", "content-transfer-encoding"})
_MEDIA_TYPE = re.compile(r"[a-z0-9.+_-]{1,100}/[a-z0-9.+_-]{1,100}")
_BREAKS = re.compile(r"[\r\n\0]+")
_LINE = 900  # bytes of a header line: below RFC 5322's 998 with the name
_REPORT = "multipart/report; report-type=delivery-status"


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file of a mail; with a `content_id` the HTML text shows it."""

    name: str | None
    media_type: str
    body: bytes = field(repr=False)
    content_id: str | None = None


def rebuilt_mail(
    headers: Iterable[tuple[str, str]],
    text: str | None,
    html: str | None,
    files: Sequence[MailFile] = (),
) -> bytes:
    """Return a mail with these headers, texts and files; the same ones give the same bytes."""
    given = [(name, value) for name, value in headers if _NAME.fullmatch(name)]
    texts = [_text(kind, body) for kind, body in (("plain", text), ("html", html)) if body]
    content = texts[0] if len(texts) == 1 else _multipart("multipart/alternative", texts)
    bounced = any(n.lower() == "content-type" and "delivery-status" in v.lower() for n, v in given)
    if files or bounced:
        kind = _REPORT if bounced else "multipart/mixed"
        content = _multipart(kind, [content, *(_file(file) for file in files)])
    kept = (_header(name, value) for name, value in given if name.lower() not in _OURS)
    return b"".join(kept) + b"MIME-Version: 1.0\r\n" + content


def address(name: str | None, mailbox: str) -> str:
    """Return a mailbox with a person's name, as a From header writes it."""
    quoted = re.sub(r'(["\\])', r"\\\1", clean(name or ""))
    return f'"{quoted}" <{mailbox}>' if quoted else mailbox


def _header(name: str, value: str) -> bytes:
    """Return a header, folded between its words; a word beyond a line is cut."""
    lines, line = [], b""
    for word in _BREAKS.sub(" ", clean(value)).split():
        written = word.encode()[:_LINE]
        if line and len(line) + len(written) >= _LINE:
            lines.append(line)
            line = b""
        line = line + b" " + written if line else written
    return name.encode() + b": " + b"\r\n ".join([*lines, line]) + b"\r\n"


def _text(kind: str, body: str) -> bytes:
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head.encode() + base64.encodebytes(clean(body).encode())


def _file(file: MailFile) -> bytes:
    given = file.media_type.partition(";")[0].strip().lower()
    media_type = given if _MEDIA_TYPE.fullmatch(given) else "application/octet-stream"
    name = quote(clean(file.name or "")[: limits.FILE_NAME])
    disposition = "inline" if file.content_id else "attachment"
    head = f"Content-Type: {media_type}\r\nContent-Disposition: {disposition}"
    head += f"; filename*=utf-8''{name}\r\n" if name else "\r\n"
    if file.content_id:
        content_id = re.sub(r"[^!-~]|[<>]", "", file.content_id)[: limits.FILE_NAME]
        head += f"Content-ID: <{content_id}>\r\n"
    if media_type.startswith("message/"):  # RFC 2046 §5.2 allows no encoding of these
        return head.encode() + b"\r\n" + file.body
    encoded = base64.encodebytes(file.body)
    return head.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded


def _multipart(kind: str, parts: Sequence[bytes]) -> bytes:
    """Return the parts between boundaries that none of them can hold: they are their digest."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    boundary = f"=_{digest.hexdigest()}"
    between = f"\r\n--{boundary}\r\n".encode()
    head = f'Content-Type: {kind}; boundary="{boundary}"\r\n\r\n'.encode()
    body = b"".join(between + part for part in parts)
    return head + body + f"\r\n--{boundary}--\r\n".encode()
