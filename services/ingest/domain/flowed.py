"""Text in lines that flow (RFC 3676, format=flowed): paragraphs put together again."""

_SIGNATURE = "-- "


def unflow(text: str, *, delete_space: bool = False) -> str:
    """Return the text with each paragraph in one line; quoted lines keep their `> `.

    A line that ends in a space goes on in the next one of the same quotation depth;
    `delete_space` (DelSp=yes) says that this space itself is not part of the text.
    """
    done: list[str] = []
    paragraph: list[str] = []
    depth = 0
    for line in text.replace("\r\n", "\n").split("\n"):
        content = line.lstrip(">")
        level = len(line) - len(content)
        content = content[1:] if content.startswith(" ") else content
        if paragraph and level != depth:
            done.append(_quoted(paragraph, depth))
            paragraph = []
        depth = level
        flows = content.endswith(" ") and content != _SIGNATURE
        paragraph.append(content[:-1] if flows and delete_space else content)
        if not flows:
            done.append(_quoted(paragraph, depth))
            paragraph = []
    if paragraph:
        done.append(_quoted(paragraph, depth))
    return "\n".join(done)


def _quoted(paragraph: list[str], depth: int) -> str:
    return f"{'>' * depth}{' ' if depth else ''}{''.join(paragraph)}"
