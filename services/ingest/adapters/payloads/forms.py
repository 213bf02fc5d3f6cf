"""HTML forms from strangers: `application/x-www-form-urlencoded` and `multipart/form-data`.

Bounded before and while they are read: so many fields, so many parts, headers so long. Sources:
the WHATWG URL standard for the first kind, RFC 7578 for the second.
"""

import json
import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from python_multipart.multipart import MultipartParser, parse_options_header

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import RawRequest
from services.ingest.domain import limits
from services.ingest.domain.text import clean
from services.ingest.domain.urlencoded import UnreadableForm, form_fields

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
PARTS_AT_MOST = 50  # a mail provider sends about 25 fields; the rest are attachments
PART_HEADERS = 8  # a browser writes two
PART_HEADER = 2 * 1024  # bytes: a file name of 255 characters, each written as %XX%XX%XX
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")  # RFC 2046
# those that forms are sent in; others of Python's codecs are no charsets, or quadratic (idna)
_CHARSETS = re.compile(
    r"utf-?8|us-ascii|iso-8859-\d{1,2}|windows-\d{3,4}|cp\d{3,4}|koi8-[ru]|gb[k\d]{1,5}|big5"
    r"|shift_jis|euc-(?:jp|kr)|iso-2022-(?:jp|kr)",
    re.IGNORECASE,
)
_FIRST_LINE = re.compile(rb"(?:\r\n)?--([^\r\n]{1,70})\r\n")


# the parser would log a warning with bytes of each bad body: what strangers send is not logged
_NOWHERE = logging.Logger("nowhere", logging.CRITICAL + 1)


class BadForm(Unparseable):
    """A body is no form that we are willing to read."""


@dataclass(slots=True)
class Part:
    """One field: its name and its bytes, and for a file what the sender says of it."""

    name: str = ""
    body: bytes = field(default=b"", repr=False)
    file_name: str | None = None
    media_type: str = "text/plain"
    charset: str = "utf-8"

    def text(self, charset: str | None = None) -> str:
        """Return the bytes as text; what is not of that charset is read as Windows text."""
        named = charset or self.charset
        try:
            return self.body.decode(named if _CHARSETS.fullmatch(named) else "utf-8")
        except (UnicodeError, LookupError, ValueError):
            return self.body.decode("cp1252", "replace")


@dataclass(frozen=True)
class Form:
    """A form's fields, in order."""

    parts: tuple[Part, ...]

    @cached_property
    def _first(self) -> dict[str, Part]:
        return {part.name: part for part in reversed(self.parts)}

    def part(self, name: str) -> Part | None:
        """Return the first field of that name."""
        return self._first.get(name)

    def text(self, name: str) -> str | None:
        """Return the text of the first field of that name; None for an empty or missing one."""
        part = self._first.get(name)
        return clean(part.text()) or None if part else None

    def json(self, name: str) -> Any:
        """Return what the JSON in a field holds, or None for anything else."""
        try:
            return json.loads(self.text(name) or "null")
        except (ValueError, RecursionError):
            return None

    def files(self) -> tuple[Part, ...]:
        """Return the fields that are files."""
        return tuple(part for part in self.parts if part.file_name is not None)


def read_form(request: RawRequest, only: Collection[str] | None = None) -> Form:
    """Return the form that a request carries; raise `BadForm`, and never another error.

    With `only` the other fields may be left out: whoever looks for a proof must not pay for them.
    A body whose content type got lost, with its boundary, still shows what it is: a multipart one
    begins with its boundary.
    """
    content_type = (request.all("content-type") or (b"",))[0]
    announced = request.media_type() == MULTIPART and b"boundary" in content_type
    if announced or request.body.startswith(b"--"):
        return Form(tuple(_multipart(request.body, _boundary(content_type, request.body))))
    return Form(tuple(_urlencoded(request.body, only)))


def with_fields(request: RawRequest, fields: Mapping[str, str]) -> RawRequest:
    """Return the request with these fields in its form instead of those of the same names.

    For test requests: a multipart form keeps its boundary, and its other parts byte for byte.
    """
    content_type = (request.all("content-type") or (b"",))[0]
    if not request.body.startswith(b"--"):
        kept = [(p.name, p.body) for p in read_form(request).parts if p.name not in fields]
        return replace(request, body=urlencode([*kept, *fields.items()]).encode())
    line = b"--" + _boundary(content_type, request.body) + b"\r\n"
    named = re.compile("|".join(f'; name="{re.escape(name)}"' for name in fields).encode())
    first, *parts = (b"\r\n" + request.body).split(b"\r\n" + line)
    head = 'Content-Disposition: form-data; name="{}"\r\n\r\n{}'
    given = [head.format(name, value).encode() for name, value in fields.items()]
    others = [part for part in parts if not named.search(part.partition(b"\r\n\r\n")[0])]
    body = (b"\r\n" + line).join([first, *given, *others])
    return replace(request, body=body[2:])


def _urlencoded(body: bytes, only: Collection[str] | None) -> list[Part]:
    names = None if only is None else {name.encode() for name in only}
    try:
        return [Part(_text(name), value) for name, value in form_fields(body, names)]
    except UnreadableForm:
        raise BadForm("form: too many fields, or broken ones") from None


def _boundary(content_type: bytes, body: bytes) -> bytes:
    if len(content_type) <= PART_HEADER:
        given = parse_options_header(content_type)[1].get(b"boundary")
        if given is not None:
            return _checked(given)
    found = _FIRST_LINE.match(body)
    if found is None:
        raise BadForm("form: no boundary")
    return _checked(found.group(1))


def _checked(boundary: bytes) -> bytes:
    if not _BOUNDARY.fullmatch(boundary):
        raise BadForm("form: boundary")
    return boundary


def _multipart(body: bytes, boundary: bytes) -> list[Part]:
    if body.count(b"\n--" + boundary) > PARTS_AT_MOST + 1:  # before anything is copied
        raise BadForm("form: too many parts")
    reader = _Reader()
    parser = MultipartParser(
        boundary,
        reader.callbacks(),
        max_header_count=PART_HEADERS,
        max_header_size=PART_HEADER,
    )
    parser.logger = _NOWHERE
    try:
        parser.write(body)
    except BadForm:
        raise
    except Exception:  # the parser's own errors, and what hostile headers may do to it
        raise BadForm("form: multipart") from None
    if not reader.ended:
        raise BadForm("form: ends early")
    return reader.parts


class _Reader:
    """Takes what the parser finds; the last of `parts` is the one being read."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._name, self._value = bytearray(), bytearray()
        self._data = bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        """Return the functions for the parser to call."""
        return {
            "on_part_begin": self._begin,
            "on_part_data": lambda data, start, end: self._data.extend(data[start:end]),
            "on_part_end": self._end,
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_headers_finished": self._named,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        if len(self.parts) >= PARTS_AT_MOST:
            raise BadForm("form: too many parts")
        self.parts.append(Part())
        self._data = bytearray()

    def _header(self) -> None:
        part, name = self.parts[-1], bytes(self._name).lower()
        value, options = parse_options_header(bytes(self._value).decode("latin-1"))
        self._name, self._value = bytearray(), bytearray()
        if name == b"content-disposition":
            if value != b"form-data" or len(options.get(b"name", b"")) > limits.FIELD_NAME:
                raise BadForm("form: content-disposition")
            part.name = _text(options.get(b"name", b""))
            part.file_name = _text(options[b"filename"]) if b"filename" in options else None
        elif name == b"content-type":
            part.media_type = value.decode("latin-1")[:255] or "text/plain"
            part.charset = options.get(b"charset", b"utf-8").decode("latin-1")[:40]

    def _named(self) -> None:
        if not self.parts[-1].name:
            raise BadForm("form: a part has no name")

    def _end(self) -> None:
        self.parts[-1].body = bytes(self._data)

    def _finish(self) -> None:
        self.ended = True


def _text(raw: bytes) -> str:
    return clean(raw.decode("utf-8", "surrogateescape"))
