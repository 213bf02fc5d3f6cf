"""The newest text of an e-mail, apart from what it quotes.

One pass over the lines with patterns that cannot backtrack. (mail-parser-reply was measured first:
16 000 empty lines take it 20 s, holding the interpreter, so nobody outside may feed it.)
"""

import re

_ATTRIBUTION_LINES = 3  # mail programs wrap "On … <ana@example.com> wrote:" over up to three lines
_LINE = 400  # characters of a line that are looked at
_STARTS = re.compile(r"(?:on|am|le|el|il|op|dne|dnia|den|em|no dia|v) \S", re.IGNORECASE)
_ENDS = re.compile(
    r"(?:wrote|schrieb|a écrit|escribió|escreveu|ha scritto|schreef|napsal\(?a?\)?|napisal\(?a\)?"
    r"|napisał\(?a?\)?|je napisala?|piše|skrev)\s?:$",
    re.IGNORECASE,
)
_GERMAN = re.compile(r"schrieb [^:]{1,200}:$", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"-{2,}\s?(?:original message|forwarded message|ursprüngliche nachricht|izvorno sporočilo"
    r"|messaggio originale|message d'origine|mensaje original|izvirno sporočilo)\s?-{2,}$",
    re.IGNORECASE,
)
_FROM = re.compile(r"\*?(?:from|von|od|da|de|pošiljatelj)\s?:\*?\s", re.IGNORECASE)
_SENT = re.compile(
    r"\*?(?:sent|date|gesendet|datum|poslano|inviato|data|envoyé|enviado)\s?:\*?\s", re.IGNORECASE
)
_RULE = re.compile(r"_{10,}$")


def newest_text(text: str) -> str:
    """Return what the sender wrote this time; the whole text if nothing is left otherwise.

    Quoted lines before or between the sender's own stay (an answer between the lines needs them);
    what is cut is the quotation at the end with its heading.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    heading = _quotation_starts(lines)
    kept = _without_tail(lines if heading is None else lines[:heading])
    return "\n".join(kept).strip() or text.strip()


def _without_tail(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith(">")):
        end -= 1
    return lines[:end]


def _quotation_starts(lines: list[str]) -> int | None:
    """Return the line where the heading of the quotation at the end stands, None without one."""
    looked_at = [line[:_LINE].strip() for line in lines]
    written = [number for number, line in enumerate(looked_at) if line]
    marked = [number for number in written if looked_at[number].startswith(">")]
    # an answer below the last marked line means answers between the lines: then all is kept
    answered_below = bool(marked) and marked[-1] != written[-1]
    for number, line in enumerate(looked_at):
        if not line or line.startswith(">"):
            continue
        if _SEPARATOR.match(line) or _is_header_block(looked_at, number):
            return number
        below = bool(marked) and marked[-1] > number
        if not (below and answered_below) and _is_attribution(looked_at, number):
            return number
    return None


def _is_header_block(lines: list[str], number: int) -> bool:
    """Say whether the headers that Outlook puts above a quotation stand here."""
    if _RULE.match(lines[number]):
        number += 1
    following = lines[number : number + 5]
    return bool(following and _FROM.match(following[0])) and any(
        _SENT.match(line) for line in following[1:]
    )


def _is_attribution(lines: list[str], number: int) -> bool:
    if not _STARTS.match(lines[number]):
        return False
    together = ""
    for line in lines[number : number + _ATTRIBUTION_LINES]:
        together = f"{together} {line}"
        if _ENDS.search(line[-40:]) or _GERMAN.search(together[-240:]):
            return True
    return False
