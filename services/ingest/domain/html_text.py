"""Text of an HTML mail: sanitised by nh3 first, so that what is walked is well formed."""

from html.parser import HTMLParser

import nh3

from services.ingest.domain import limits

_BREAKS = frozenset({"br", "div", "h1", "h2", "h3", "hr", "li", "p", "table", "tr", "ul", "ol"})
_QUOTE = "blockquote"


def text_of_html(html: str) -> str:
    """Return the text with its lines; quotations are marked with `> ` as in plain mail."""
    tags = set(_BREAKS | {_QUOTE})
    walker = _Walker()
    walker.feed(nh3.clean(html[: limits.MAIL_HTML], tags=tags, attributes={}))
    walker.close()
    return walker.text()


class _Walker(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = [""]
        self._quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._quoted += tag == _QUOTE
        self._new_line()

    def handle_endtag(self, tag: str) -> None:
        self._quoted -= tag == _QUOTE
        self._new_line()

    def handle_data(self, data: str) -> None:
        words = " ".join(data.split())
        if not words:
            return
        if not self._lines[-1] and self._quoted:
            self._lines[-1] = "> "
        space = " " if data[0].isspace() and self._lines[-1].strip() else ""
        self._lines[-1] += f"{space}{words}{' ' if data[-1].isspace() else ''}"

    def _new_line(self) -> None:
        if self._lines[-1]:
            self._lines.append("")

    def text(self) -> str:
        """Return what was gathered."""
        return "\n".join(line.rstrip() for line in self._lines).strip()
