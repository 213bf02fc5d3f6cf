"""What a frame of our web chat says, by its `type`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.ingest.adapters.building import Builder, from_iso, kept_whole
from services.ingest.adapters.payloads.json_parts import required
from services.ingest.domain.json_fields import string_at
from services.ingest.domain.text import cut, short
from shared.contact_points import parse_contact_point
from shared.events import Event
from shared.events.contact import (
    ContactUnrecognised,
    FormSubmitted,
    InteractionEnded,
    InteractionStarted,
    MessageReceived,
)
from shared.ids import derived_id

CHANNEL = "chat"
OFFLINE_FORM = "chat-offline"
INTERACTIONS: Mapping[str, tuple[type[Event], str]] = {
    "started": (InteractionStarted, "started"),
    "ended": (InteractionEnded, "ended"),
}

Translate = Callable[[Builder, str, Any], Iterator[Event]]
"""Of one frame of a session, given the session."""


def _message(builder: Builder, session: str, frame: Any) -> Iterator[Event]:
    text, truncated = cut(required(frame, "text"))
    own_id = f"{session}/m/{required(frame, 'id')}"
    yield builder.event(
        MessageReceived,
        own_id,
        message_id=derived_id("msg", builder.account.name, own_id),
        text=text,
        truncated=truncated,
        **_whose(builder, session, frame),
    )


def _interaction(builder: Builder, session: str, frame: Any) -> Iterator[Event]:
    event_type, what = INTERACTIONS[required(frame, "type")]
    run = f"{session}.{required(frame, 'interaction')}"
    reason: dict[str, Any] = {}
    if what == "ended":
        reason = {"reason": string_at(frame, "reason") or "completed"}
    yield builder.event(
        event_type,
        f"{run}/{what}",
        interaction_id=run,
        kind="chat",
        **reason,
        **_whose(builder, session, frame),
    )


def _offline(builder: Builder, session: str, frame: Any) -> Iterator[Event]:
    form_id, point = required(frame, "id"), parse_contact_point(required(frame, "contact_point"))
    answers = {"text": cut(required(frame, "text"))[0], "session": session}
    whose = _whose(builder, session, frame)
    yield builder.event(
        FormSubmitted,
        f"{session}/f/{form_id}",
        form=OFFLINE_FORM,
        fields=[{"name": name, "value": value} for name, value in answers.items()],
        **whose | {"contact_points": [point], "conversation": (session, form_id), "reply_to": None},
    )


def unrecognised(builder: Builder, session: str, frame: Any) -> Iterator[Event]:
    """Yield what this version has no word for, kept whole."""
    kind, own_id = required(frame, "type"), f"{session}/u/{required(frame, 'id')}"
    whose = {**_whose(builder, session, frame), "raw": kept_whole(frame)}
    yield builder.event(ContactUnrecognised, own_id, kind=short(kind), **whose)


TRANSLATORS: Mapping[str, Translate] = {
    "message": _message,
    "offline": _offline,
    **dict.fromkeys(INTERACTIONS, _interaction),
}


def _whose(builder: Builder, session: str, frame: Any) -> dict[str, Any]:
    return {
        "conversation": (session,),
        "channel": CHANNEL,
        "occurred_at": from_iso(string_at(frame, "at")),
        "contact_points": [f"webchat:{builder.account.name}/{session}"],
        "display_name": short(string_at(frame, "name")),
        "locale": string_at(frame, "locale"),
        "reply_to": session,
    }
