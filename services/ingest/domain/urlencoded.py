"""`application/x-www-form-urlencoded` from strangers, in time that grows with its length only.

As the WHATWG URL standard reads it. `urllib` walks through every `%XX` in Python: 4 s for 25 MiB of
them, on the event loop of whoever asks. The standard library's decoder of quoted-printable does the
same in C, once the two escape characters are exchanged.
"""

import binascii
import re

from services.ingest.domain import limits

_LONE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class TooManyFields(ValueError):
    """A form has more fields than we are willing to read."""


def form_fields(body: bytes) -> list[tuple[bytes, bytes]]:
    """Return the names and values, in order; raise `TooManyFields` beyond `FORM_FIELDS`."""
    if body.count(b"&") >= limits.FORM_FIELDS:
        raise TooManyFields
    pairs = (part.partition(b"=") for part in body.split(b"&") if part)
    return [(_unquoted(name), _unquoted(value)) for name, _, value in pairs]


def form_pairs(form: str | bytes) -> list[tuple[str, str]]:
    """Return the names and values as text; what is not UTF-8 survives as lone surrogates."""
    body = form.encode("utf-8", "surrogateescape") if isinstance(form, str) else form
    return [(_text(name), _text(value)) for name, value in form_fields(body)]


def _unquoted(written: bytes) -> bytes:
    written = written.replace(b"+", b" ")
    if b"%" not in written:
        return written
    whole = _LONE_PERCENT.sub(b"%25", written)  # what is no escape stays as it is
    return binascii.a2b_qp(whole.replace(b"=", b"%3D").replace(b"%", b"="))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
