"""HTML of strangers, made safe to show: no script, no style, no request to anybody.

First one pass of our own puts together an orderly, shallow document of the few elements that are
shown; then nh3, which parses as a browser does, has the last word about what is safe. The order
matters: an HTML parser is quadratic for elements nested deep or left open (nh3 took 19 s for
100 000 nested `<div>`), and what it gets from us has neither.
"""

import html
import re
from collections.abc import Mapping

import nh3

from services.ingest.domain import limits
from services.ingest.domain.html_text import HIDDEN, TOKEN

_DEPTH = 40  # open elements; real mails nest tables about 15 deep
# fmt: off
_BLOCKS = frozenset({
    "address", "article", "blockquote", "caption", "center", "dd", "div", "dl", "dt", "figure",
    "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "li", "main", "nav", "ol", "p",
    "pre", "section", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
})
_INLINE = frozenset({
    "a", "b", "bdi", "bdo", "code", "del", "em", "i", "ins", "kbd", "q", "s", "samp", "small",
    "span", "strike", "strong", "sub", "sup", "u",
})
# fmt: on
_VOID = frozenset({"br", "hr", "img"})
_ELEMENTS = _BLOCKS | _INLINE | _VOID
_COMMON = frozenset({"dir", "lang"})
_OF_ELEMENT: dict[str, frozenset[str]] = {
    "a": frozenset({"href"}),
    "img": frozenset({"src", "alt", "width", "height"}),
    "td": frozenset({"colspan", "rowspan", "align"}),
    "th": frozenset({"colspan", "rowspan", "align"}),
    "ol": frozenset({"start"}),
}
_KEPT = {name: _COMMON | _OF_ELEMENT.get(name, frozenset()) for name in _ELEMENTS}
_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_ATTRIBUTE = re.compile(
    r"""([a-zA-Z][a-zA-Z-]{0,30})\s{0,20}=\s{0,20}("[^"]*+"|'[^']*+'|[^\s"'>]++)"""
)
_SCHEME = re.compile(r"\s*([a-zA-Z][a-zA-Z0-9+.-]{0,20}):")
_ATTRIBUTES = 20  # read of one tag
_TAG = 8_192  # characters of one tag
_VALUE = 2_000  # characters of an attribute; longer links exist, but to track somebody
_REFERENCE = 12  # characters a reference such as `&NewLine;` takes for one; longer are rare
_ESCAPED = 5  # characters of `&amp;`
_LINK_EXTRA = 40  # characters that nh3 adds to a link

_CLEANER = nh3.Cleaner(
    tags=set(_ELEMENTS),
    clean_content_tags=set(HIDDEN),
    attributes={name: set(kept) for name, kept in _KEPT.items()},
    attribute_filter=lambda tag, name, value: (
        None if (tag, name) == ("img", "src") and not value.startswith("cid:") else value
    ),
    url_schemes=set(_SCHEMES | {"cid"}),
    link_rel="noopener noreferrer nofollow",
    strip_comments=True,
)


def safe_html(
    written: str, pictures: Mapping[str, str] | None = None, limit: int = limits.TEXT
) -> tuple[str | None, bool]:
    """Return safe HTML of at most `limit` characters, and whether something had to be left out.

    `pictures` maps a Content-ID to the number of its part: `<img src="cid:logo@x">` becomes
    `<img src="cid:3">`, which is the attachment whose reference ends in `#3`; a picture from
    elsewhere loses its source. None where nothing is left to show.
    """
    budget = limit
    while budget > 64:
        drawn, whole = _Drawing(pictures or {}, budget).draw(written[: limits.MAIL_HTML])
        safe = _CLEANER.clean(drawn).strip()
        if len(safe) <= limit:
            return safe or None, not whole or len(written) > limits.MAIL_HTML
        budget //= 2  # escaping made it longer: at most a few rounds
    return None, True


class _Drawing:
    """One pass over HTML that keeps what is shown, every element closed where it was opened."""

    def __init__(self, pictures: Mapping[str, str], budget: int) -> None:
        self._pictures = pictures
        self._budget = budget
        self._done: list[str] = []
        self._open: list[str] = []
        self._openings: dict[str, str] = {}

    def draw(self, written: str) -> tuple[str, bool]:
        """Return orderly HTML, and whether it is the whole."""
        position = 0
        while self._budget > 0 and (found := TOKEN.match(written, position)):
            position = found.end()
            slash, name = found.groups()
            if name is None:
                self._text(found.group())
                continue
            name = name.lower()
            if name in _ELEMENTS:
                self._tag(name, found.group(), closing=bool(slash))
            elif name in HIDDEN and not slash and not found.group().endswith("/>"):
                hidden = HIDDEN[name].search(written, position)
                position = hidden.start() if hidden else len(written)
        whole = self._budget > 0
        self._done.extend(f"</{name}>" for name in reversed(self._open))
        return "".join(self._done), whole

    def _put(self, text: str) -> None:
        self._done.append(text)
        self._budget -= len(text)

    def _text(self, token: str) -> None:
        if token.startswith(("<!", "<?")):
            return
        text = _unescape(token[: _REFERENCE * self._budget])[: self._budget]
        escaped = html.escape(text, quote=False)
        if len(escaped) > self._budget:
            escaped = html.escape(text[: self._budget // _ESCAPED], quote=False)
            self._budget = 0
        self._put(escaped)

    def _tag(self, name: str, token: str, *, closing: bool) -> None:
        if closing:
            if name not in _VOID:
                self._close(name)
        elif name in _VOID:
            self._put(self._opening(name, token))
        elif len(self._open) < _DEPTH and not (name in _INLINE and name in self._open):
            # an inline element in itself is what parsers repair at length, so it is left out
            self._put(self._opening(name, token))
            self._open.append(name)
            self._budget -= len(name) + 3 + (_LINK_EXTRA if name == "a" else 0)

    def _opening(self, name: str, token: str) -> str:
        """Return a tag with the attributes that are kept; mails repeat theirs a hundred times."""
        opening = self._openings.get(token)
        if opening is None:
            opening = self._openings[token] = f"<{name}{self._attributes(name, token)}>"
        return opening

    def _close(self, name: str) -> None:
        """Close an element and what is open in it; a block is not closed from inside a cell."""
        if self._open and self._open[-1] == name:
            self._done.append(f"</{self._open.pop()}>")
            return
        if name not in self._open:
            return
        inner = len(self._open) - 1 - self._open[::-1].index(name)
        if name in _INLINE and any(other in _BLOCKS for other in self._open[inner + 1 :]):
            return
        while len(self._open) > inner:
            self._done.append(f"</{self._open.pop()}>")

    def _attributes(self, name: str, token: str) -> str:
        if "=" not in token:
            return ""
        kept = _KEPT[name]
        written = []
        read = token[:_TAG]
        for number, found in enumerate(_ATTRIBUTE.finditer(read, len(name) + 1)):
            if number >= _ATTRIBUTES:
                break
            key = found.group(1).lower()
            if key in kept and (value := self._value(name, key, found.group(2))) is not None:
                written.append(f' {key}="{html.escape(value)}"')
        return "".join(written)

    def _value(self, name: str, key: str, quoted: str) -> str | None:
        bare = quoted[1:-1] if quoted[0] in "\"'" else quoted
        if len(bare) > _VALUE:
            return None
        value = "".join(c for c in _unescape(bare) if c.isprintable()).strip()
        scheme = _SCHEME.match(value)
        if key == "src":
            number = self._pictures.get(value[4:]) if value[:4].lower() == "cid:" else None
            return f"cid:{number}" if number else None
        if key == "href" and not (scheme and scheme.group(1).lower() in _SCHEMES):
            return None
        return value


def _unescape(text: str) -> str:
    if "&" not in text:
        return text
    try:
        return html.unescape(text)
    except ValueError:  # a character reference of thousands of digits
        return text
