"""What kind of mail it is, and whether anything automatic may ever answer it (RFC 3834)."""

import re
from dataclasses import dataclass
from email.message import Message

from services.ingest.adapters.mail_headers import header, headers, subject
from services.ingest.domain import limits

AUTOMATIC_PRECEDENCE = frozenset({"bulk", "junk"})
"""`list` is not among them: a mailbox behind a group address gets its customers' mail that way."""
AUTO_REPLY_HEADERS = (
    "x-autoreply",
    "x-autoreply-from",
    "x-autorespond",
    "x-autoresponder",
    "x-mail-autoreply",
    "x-fc-machinegenerated",
)
PRECEDENCES = ("precedence", "x-precedence", "preference")
POSTMASTERS = frozenset({"mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon"})
# with the colon that programs write: a person's own subject rarely begins like that
_AUTO_SUBJECT = re.compile(
    r"(?:automatic reply|auto-reply|autoreply|out of office(?: autoreply)?|automatische antwort"
    r"|abwesenheitsnotiz|réponse automatique|risposta automatica|respuesta automática"
    r"|automatisch antwoord|automatisk svar|autosvar|samodejni odgovor|odsotnost"
    r"|automatski odgovor)\s?:",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a mail is: `text`, `auto-reply`, `bounce`, `newsletter` or `loop`.

    Everything but `text` is automatic: it opens no case and touches no clock. `never_answer` says
    why nothing automatic may answer it, None where that is allowed.
    """

    word: str
    never_answer: str | None = None

    @property
    def automatic(self) -> bool:
        """Return whether no person wrote this to us."""
        return self.word != "text"


def kind_of(mail: Message, sender: str | None, ours: frozenset[str], *, null_path: bool) -> Kind:
    """Return what kind of mail it is.

    `sender` is the sender's contact point, `ours` are those of our mailbox; `null_path` says that
    the envelope names no sender, as that of a bounce.
    """
    for word, holds in (
        ("loop", _is_loop(mail, sender, ours)),
        (
            "bounce",
            _is_report(mail) or _is_postmaster(sender) or bool(header(mail, "x-failed-recipients")),
        ),
        ("auto-reply", _is_auto_reply(mail)),
        ("bounce", null_path),
        ("newsletter", _is_newsletter(mail)),
    ):
        if holds:
            return Kind(word, word)
    return Kind("text", _never_answer(mail))


def _is_loop(mail: Message, sender: str | None, ours: frozenset[str]) -> bool:
    marked = any(f"email:{value.lower()}" in ours for value in headers(mail, "x-loop"))
    hops = len(headers(mail, "received", 1))
    return marked or sender in ours or hops > limits.MAIL_HOPS


def _is_report(mail: Message) -> bool:
    content_type = (header(mail, "content-type") or "").lower()
    return "multipart/report" in content_type and "delivery-status" in content_type


def _is_postmaster(sender: str | None) -> bool:
    return (sender or "").removeprefix("email:").partition("@")[0] in POSTMASTERS


def _is_auto_reply(mail: Message) -> bool:
    marked = (header(mail, "auto-submitted") or "no").lower()
    return (
        not marked.startswith("no")
        or any(header(mail, name) for name in AUTO_REPLY_HEADERS)
        or any((header(mail, name) or "").lower() == "auto_reply" for name in PRECEDENCES)
        or bool(_AUTO_SUBJECT.match(subject(mail) or ""))
    )


def _is_newsletter(mail: Message) -> bool:
    """Say whether many get this mail: it says so, or can be left with one click (RFC 8058).

    A list that people can write to is no newsletter: our mailbox may be behind one.
    """
    if (header(mail, "precedence") or "").lower() in AUTOMATIC_PRECEDENCE:
        return True
    return bool(header(mail, "list-unsubscribe-post")) and not header(mail, "list-post")


def _never_answer(mail: Message) -> str | None:
    if header(mail, "list-id") or (header(mail, "precedence") or "").lower() == "list":
        return "list"
    suppressed = (header(mail, "x-auto-response-suppress") or "").lower()
    return "suppressed" if any(w in suppressed for w in ("all", "oof", "autoreply")) else None
