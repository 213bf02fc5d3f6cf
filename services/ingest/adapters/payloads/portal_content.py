"""What an event of the portal says, by its `type`."""

from collections.abc import Callable, Mapping
from typing import Any

from services.ingest.adapters.building import kept_whole
from services.ingest.adapters.contract import Broken
from services.ingest.adapters.payloads.own_formats import form_fields
from services.ingest.domain.json_fields import list_at, string_at, value_at
from services.ingest.domain.text import clean, cut, short
from shared.events import Event
from shared.events.contact import (
    ChoiceMade,
    MessageReceived,
    SelfServiceFinished,
    SelfServiceHandedOver,
)

_ATTACHMENT = ("reference", "media_type", "name", "size")


def text_at(part: Any, name: str) -> str | None:
    """Return a field's text, or None."""
    found = string_at(part, name)
    return clean(found) if found else None


def unknown(part: Any) -> dict[str, Any]:
    """Keep an event of an unknown type whole."""
    return {"kind": short(string_at(part, "type")), "raw": kept_whole(part)}


def _run(part: Any) -> str:
    run = text_at(part, "run")
    if run is None:
        raise Broken("run: missing")
    return run


def _message(part: Any) -> dict[str, Any]:
    text, truncated = cut(string_at(part, "text") or "")
    attachments = [
        {name: found for name in _ATTACHMENT if (found := value_at(item, name)) is not None}
        for item in list_at(part, "attachments")
    ]
    return {
        "message_id": text_at(part, "message_id") or text_at(part, "id"),
        "kind": "document" if attachments and not text else "text",
        "subject": short(string_at(part, "subject")),
        "text": text or None,
        "truncated": truncated,
        "attachments": attachments,
        "in_reply_to": text_at(part, "in_reply_to"),
    }


def _choice(part: Any) -> dict[str, Any]:
    return {
        "interaction_id": _run(part),
        "menu": short(string_at(part, "menu")) or "menu",
        "choice": short(string_at(part, "choice")),
    }


def _finished(part: Any) -> dict[str, Any]:
    resolved = value_at(part, "resolved")
    return {
        "interaction_id": _run(part),
        "topic": short(string_at(part, "topic")),
        "resolved": resolved if isinstance(resolved, bool) else None,
    }


def _handed_over(part: Any) -> dict[str, Any]:
    summary, _ = cut(string_at(part, "summary") or "")
    return {
        "interaction_id": _run(part),
        "topic": short(string_at(part, "topic")),
        "summary": summary or None,
        "fields": form_fields(value_at(part, "fields")),
    }


KINDS: Mapping[str, tuple[type[Event], Callable[[Any], dict[str, Any]]]] = {
    "message": (MessageReceived, _message),
    "choice": (ChoiceMade, _choice),
    "finished": (SelfServiceFinished, _finished),
    "handed-over": (SelfServiceHandedOver, _handed_over),
}
