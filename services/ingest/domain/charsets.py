"""Text from bytes whose charset is missing, unknown or a lie; never raises."""

import codecs
import re

# codecs that are no charsets of mail, or whose decoding is quadratic (idna, punycode)
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
_WESTERN = frozenset({"ascii", "iso8859-1", "cp1252", "iso8859-15"})
# what programs really mean by a label: the superset that browsers decode it with (WHATWG)
_REALLY = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "tis-620": "cp874",
}
_ALIASES = {"x-sjis": "cp932", "x-gbk": "gb18030", "unicode-1-1-utf-7": "utf-7", "utf8mb4": "utf-8"}
_META = re.compile(
    rb"""<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}["']?([a-zA-Z0-9_.:-]{1,40})""", re.I
)
_META_WITHIN = 2_048  # bytes; HTML asks for it within the first 1 024


def decode(raw: bytes, declared: str | None) -> str:
    """Return the text of bytes that claim a charset, or none.

    What says it is Western and is valid UTF-8 beyond ASCII is UTF-8: the label lies often, and
    valid UTF-8 by accident is next to impossible. What fits nothing is read as Western.
    """
    name = _known(declared)
    order = (name, "utf-8") if name not in _WESTERN else ("utf-8", name)
    for charset in order:
        try:
            return raw.decode(_REALLY.get(charset, charset))
        except (UnicodeError, LookupError, ValueError):
            continue
    return _damaged(raw, name)


def declared_in_html(raw: bytes) -> str | None:
    """Return the charset that a page of HTML names itself, or None."""
    found = _META.search(raw[:_META_WITHIN])
    return found.group(1).decode("ascii") if found else None


def _known(declared: str | None) -> str:
    label = (declared or "utf-8").strip().strip("\"'").lower()[:60]
    try:
        name = codecs.lookup(_ALIASES.get(label, label)).name
    except (LookupError, ValueError, UnicodeError):
        return "utf-8"
    return "utf-8" if name in _NO_CHARSETS else name


def _damaged(raw: bytes, name: str) -> str:
    """Return damaged text: in its own charset where most of it is good, else as Western."""
    if name not in _WESTERN:
        try:
            read = raw.decode(_REALLY.get(name, name), "replace")
        except (UnicodeError, LookupError, ValueError):
            read = ""
        good = sum(character > "\x7f" for character in read) - 2 * read.count("\ufffd")
        if good > 0:
            return read
    return raw.decode("cp1252", "replace")
