"""`application/x-www-form-urlencoded` from strangers, in time that grows with its length only.

As the WHATWG URL standard reads it. `urllib` walks through every `%XX` in Python: 4 s for 25 MiB of
them, on the event loop of whoever asks. The standard library's decoder of quoted-printable does the
same in C, once the two escape characters are exchanged; piece by piece, so that in a thread it
holds up nobody.
"""

import binascii
import re
from collections.abc import Container, Iterator

from services.ingest.domain import limits

_LONE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_LONE_AT_MOST = 1_000  # in a field; whoever encodes a form writes %25 for each
_NAME = 3 * limits.FIELD_NAME  # bytes, each of them as %XX
_PROOF = 3 * limits.SIGNATURE_HEADER  # likewise
_PIECE = 64 * 1024  # bytes: a millisecond


class UnreadableForm(ValueError):
    """A form has more fields, longer names or more broken escapes than we are willing to read."""


def form_fields(body: bytes, only: Container[bytes] | None = None) -> list[tuple[bytes, bytes]]:
    """Return the names and values, in order, of all fields or of those named in `only`.

    Those are a proof's, which is short. Raises `UnreadableForm`.
    """
    if body.count(b"&") >= limits.FORM_FIELDS:
        raise UnreadableForm
    found = []
    for part in body.split(b"&"):
        if not part:
            continue
        written, _, value = part.partition(b"=")
        if len(written) > _NAME:
            raise UnreadableForm
        name = _unquoted(written)
        if only is not None and name not in only:
            continue
        if only is not None and len(value) > _PROOF:
            raise UnreadableForm
        found.append((name, _unquoted(value)))
    return found


def form_pairs(form: str | bytes) -> list[tuple[str, str]]:
    """Return the names and values as text; what is not UTF-8 survives as lone surrogates."""
    body = form.encode("utf-8", "surrogateescape") if isinstance(form, str) else form
    return [(_text(name), _text(value)) for name, value in form_fields(body)]


def _unquoted(written: bytes) -> bytes:
    if b"%" not in written:
        return written.replace(b"+", b" ")
    lone, decoded = 0, []
    for piece in _pieces(written.replace(b"+", b" ")):
        whole, found = _LONE_PERCENT.subn(b"%25", piece)  # what is no escape stays as it is
        lone += found
        if lone > _LONE_AT_MOST:
            raise UnreadableForm
        decoded.append(binascii.a2b_qp(whole.replace(b"=", b"%3D").replace(b"%", b"=")))
    return b"".join(decoded)


def _pieces(written: bytes) -> Iterator[bytes]:
    """Cut into pieces, never through an escape."""
    start = 0
    while start < len(written):
        end = start + _PIECE
        cut = written.rfind(b"%", end - 2, end)
        if cut != -1 and end < len(written):
            end = cut
        yield written[start:end]
        start = end


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
