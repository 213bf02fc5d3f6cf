"""Text of an HTML mail, in one pass whose time grows with its length only.

What comes out is text and is escaped wherever it is shown, so nothing needs sanitising here; the
original stays in the blob. (The standard library's HTMLParser is quadratic before Python 3.11.14.)
"""

import html
import re

from services.ingest.domain import limits

TOKEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*+(?:>|\Z)|<[!?][^>]*+(?:>|\Z)|[^<]++|<",
    re.DOTALL,
)
_BREAKS = frozenset(
    {"blockquote", "br", "div", "h1", "h2", "h3", "h4", "hr", "li", "ol", "p", "table", "tr", "ul"}
)
HIDDEN = {
    name: re.compile(rf"</{name}", re.IGNORECASE)
    for name in ("script", "style", "title", "template", "svg", "math")
}


def text_of_html(written: str) -> str:
    """Return the text with its lines; quotations are marked with `> ` as in plain mail."""
    written = written[: limits.MAIL_HTML]
    lines = _Lines()
    position = 0
    while found := TOKEN.match(written, position):
        position = found.end()
        name = (found.group(2) or "").lower()
        if name in HIDDEN and not found.group(1) and not found.group().endswith("/>"):
            hidden = HIDDEN[name].search(written, position)
            position = hidden.start() if hidden else len(written)
        elif name:
            lines.tag(name, closing=bool(found.group(1)))
        elif not found.group().startswith(("<!", "<?")):
            lines.add(_unescape(found.group()))
    return lines.text()


def _unescape(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # a character reference of thousands of digits
        return text


class _Lines:
    def __init__(self) -> None:
        self._done: list[str] = []
        self._line: list[str] = []
        self._quoted = 0

    def tag(self, name: str, *, closing: bool) -> None:
        """Take in a tag: some end the line, a quotation marks what follows."""
        if name in _BREAKS:
            self._end_line()
        if name == "blockquote":
            self._quoted = max(0, self._quoted + (-1 if closing else 1))

    def add(self, text: str) -> None:
        """Take in text; as in a browser, any white space is one space."""
        self._line.append(text)

    def _end_line(self) -> None:
        words = " ".join("".join(self._line).split())
        self._line.clear()
        if words:
            self._done.append(f"> {words}" if self._quoted else words)

    def text(self) -> str:
        """Return the lines."""
        self._end_line()
        return "\n".join(self._done)
