"""Checks of what is mapped: each looks at the payload that account.json says shows it."""

from collections.abc import Callable
from functools import partial

from services.ingest.conformance.report import Check
from services.ingest.conformance.subject import Absent, Failed, Subject, data_of, require
from shared.events import Event

Holds = Callable[[Event], bool]


def _type(event: Event, *names: str) -> bool:
    return event.type in {f"throughline.{name}.v1" for name in names}


def _is(*names: str) -> Holds:
    return lambda event: _type(event, *names)


def _attachment(event: Event) -> bool:
    files = getattr(data_of(event), "attachments", ())
    return bool(files) and all(each.reference and "/" in each.media_type for each in files)


def _reaction(event: Event) -> bool:
    if _type(event, "message.received"):
        return bool(data_of(event).kind == "reaction" and data_of(event).in_reply_to)
    return _type(event, "message.reacted")


def _reply(event: Event) -> bool:
    return bool(getattr(data_of(event), "in_reply_to", None))


def _receipt(event: Event) -> bool:
    if not _type(event, "delivery.changed"):
        return False
    return data_of(event).status != "unknown" and bool(
        data_of(event).message_id or data_of(event).up_to
    )


def _abandoned(event: Event) -> bool:
    return _type(event, "interaction.ended") and data_of(event).reason != "completed"


def _automatic(event: Event) -> bool:
    return bool(getattr(data_of(event), "automatic", False))


_HELD = ("interaction.held", "interaction.resumed")
_SELF_SERVICE = ("self-service.finished", "self-service.handed-over")
SHOWS: dict[str, tuple[str, Holds]] = {
    "edit": ("an edited message is one event of its own", _is("message.edited")),
    "deletion": ("so is a deleted one", _is("message.deleted")),
    "receipt": ("receipts say how far a message got", _receipt),
    "attachment": ("files come by reference", _attachment),
    "reaction": ("a reaction names its message", _reaction),
    "reply": ("an answer names what it answers", _reply),
    "automatic": ("automatic messages say so", _automatic),
    "id-change": ("a changed address is an event", _is("contact-point.changed")),
    "call-started": ("a call that rings", _is("interaction.started")),
    "call-answered": ("is answered", _is("interaction.answered")),
    "call-held": ("is held or taken back", _is(*_HELD)),
    "call-ended": ("ends", _is("interaction.ended")),
    "call-abandoned": ("or is abandoned", _abandoned),
    "recording": ("recordings come by reference", _is("interaction.recorded")),
    "choice": ("a choice in a menu", _is("choice.made")),
    "form": ("a form with its answers", _is("form.submitted")),
    "self-service": ("how self-service ended", _is(*_SELF_SERVICE)),
}
SILENT = ("typing", "challenge", "ignored")


def _shows(subject: Subject, what: str, holds: Holds) -> str:
    events = subject.shown(what)
    require(bool(events), "its payload gives no event")
    require(any(holds(event) for event in events), f"its payload gives {_types(events)}")
    return ""


def _types(events: tuple[Event, ...]) -> str:
    return ", ".join(sorted({event.type.removeprefix("throughline.") for event in events}))


def _silent(subject: Subject) -> str:
    named = [what for what in SILENT if subject.folder.shown(what)]
    if not named:
        raise Absent("no payload shows it")
    for what in named:
        parsed = subject.understood(subject.payload(what))
        require(not parsed.events and not parsed.broken, f"{what} gives {_types(parsed.events)}")
        require(bool(parsed.ignored), f"{what} is not named as ignored")
    return ", ".join(named)


def _echo(subject: Subject) -> str:
    for event in subject.shown("echo"):
        if _type(event, "message.sent"):
            require(data_of(event).echo, "an echo does not say that it is one")
        elif _type(event, "message.received"):
            raise Failed("what we sent is taken for the customer's")
    return ""


def _unknown(subject: Subject) -> str:
    parsed = subject.understood(subject.payload("unknown"))
    require(not parsed.broken, "an unknown kind becomes a dead letter")
    require(bool(parsed.events or parsed.ignored), "an unknown kind vanishes")
    for event in parsed.events:
        opaque = _type(event, "contact.unrecognised") or (
            getattr(data_of(event), "kind", "") == "unknown"
        )
        require(not opaque or data_of(event).raw is not None, "an unknown kind is not kept raw")
    return ""


CHECKS = (
    *(
        Check(what, about, partial(_shows, what=what, holds=h))
        for what, (about, h) in SHOWS.items()
    ),
    Check("echo", "what we sent is never taken for the customer's", _echo),
    Check("silence", "typing, challenges and notices give no event", _silent),
    Check("unknown", "unknown kinds become opaque events", _unknown),
)
