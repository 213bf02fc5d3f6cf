"""What helpdesks have in common: payloads in parts, people with ids of its own, echoes.

A customer is known by the helpdesk's id, within the helpdesk's own account. A telephone number or
an e-mail address counts only where the message came over it: in a chat window anybody can type
anybody's.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, each, json_object, kept_whole
from services.ingest.adapters.contract import Broken, ChannelAccount, Parsed, RawRequest
from services.ingest.domain import limits
from services.ingest.domain.json_fields import list_at, string_at
from services.ingest.domain.text import clean, cut, short
from shared.contact_points import contact_point
from shared.events import Event
from shared.events.contact import ContactUnrecognised, FormSubmitted, MessageReceived, MessageSent
from shared.ids import KeyedIds

_FILES = 100  # attachments of one message: helpdesks allow 10 to 15
_ANSWERS = 200  # as the event model allows


class NotOurs(Exception):
    """A part concerns no customer; the message is its name, from our own tables."""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as the helpdesk knows them: contact points (its own first), name, conversation."""

    points: tuple[str, ...]
    thread: tuple[str, ...]
    name: str | None = None


def person(
    provider: str,
    scope: str | None,
    own_id: str | None,
    conversation: str | None,
    name: str | None = None,
    more: Iterable[tuple[str, str | None]] = (),
) -> Person:
    """Return a customer; `more` are addresses as scheme and value, those without a value left out.

    Raises `Broken` without an id, a scope or a conversation.
    """
    if not own_id or not scope or not conversation:
        raise Broken("customer: no id, account or conversation")
    given = [contact_point(scheme, value) for scheme, value in more if value]
    own = contact_point(provider, f"{clean(scope)}/{clean(own_id)}")
    points = tuple(dict.fromkeys((own, *given)))
    return Person(points, ("conversation", clean(conversation)), short(name))


Translate = Callable[[Builder, dict[str, Any]], Iterable[Event]]
Split = Callable[[dict[str, Any]], list[dict[str, Any]]]


def whole(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the payload as its only part: what most helpdesks send."""
    return [payload]


def translate_parts(
    request: RawRequest,
    account: ChannelAccount,
    received_at: datetime,
    ids: KeyedIds,
    translate: Translate,
    split: Split = whole,
) -> Parsed:
    """Translate a request that holds one JSON object; the helpdesk's clock is vouched for.

    `split` makes payloads of one part each of one with several.
    """
    if not request.body:
        return Parsed(ignored=("empty",))  # a test call, or a request without a body
    parts = split(json_object(request.body))
    builder = Builder(account, received_at, ids, vouched=True)
    ignored: list[str] = []

    def translated(part: dict[str, Any]) -> Iterable[Event]:
        try:
            return translate(builder, part)
        except NotOurs as named:
            ignored.append(str(named))
            return ()

    def as_body(part: dict[str, Any]) -> bytes:
        return request.body if len(parts) == 1 else json.dumps(part).encode()

    events, broken = each(parts, translated, as_body)
    return Parsed(tuple(events), tuple(broken), tuple(ignored))


def message(
    builder: Builder,
    own_id: str | None,
    who: Person,
    *,
    sender: str | None,
    text: str | None,
    kind: str | None = None,
    files: Iterable[dict[str, Any]] = (),
    agent_id: str | None = None,
    **more: Any,
) -> Event:
    """Return a customer's message, or (with `sender`) what the desk sent, as the echo it is."""
    if not own_id:
        raise Broken("message id: missing")
    message_id = clean(own_id)
    said, truncated = cut(text or "")
    attachments = [each for each in files if each["reference"]][:_FILES]
    desk: dict[str, Any] = {}
    if sender:
        desk = {"sender": sender, "echo": True, "agent_id": agent_id}
    return builder.event(
        MessageSent if sender else MessageReceived,
        f"message/{message_id}",
        **common(who),
        message_id=message_id,
        kind=kind or ("text" if said or not attachments else kind_of(attachments[0])),
        text=said or None,
        truncated=truncated,
        attachments=attachments,
        **desk,
        **more,
    )


def form(builder: Builder, own_id: str, who: Person, name: str, answers: Any, **more: Any) -> Event:
    """Return a form's answers, pairs of name and value; the ones without a name are left out."""
    fields = [
        {"name": cut(label, 255)[0], "value": cut(value)[0]} for label, value in answers if label
    ]
    return builder.event(
        FormSubmitted, own_id, **common(who), form=name, fields=fields[:_ANSWERS], **more
    )


def unrecognised(
    builder: Builder, own_id: str | None, who: Person, kind: str, raw: dict[str, Any], **more: Any
) -> Event:
    """Return what this version has no word for, kept whole."""
    if not own_id:
        raise Broken("id: missing")
    named = cut(kind, limits.FILE_NAME)[0]
    given = {**common(who), **more, "kind": named, "raw": kept_whole(raw)}
    return builder.event(ContactUnrecognised, f"{named}/{clean(own_id)}", **given)


def common(who: Person) -> dict[str, Any]:
    """Return what every event of a customer has."""
    return {"conversation": who.thread, "contact_points": who.points, "display_name": who.name}


def file(
    address: str | None, media_type: str | None, name: str | None = None, size: Any = None
) -> dict[str, Any]:
    """Return an attachment by reference; one without an address is left out later."""
    given = media_type if media_type and "/" in media_type else "application/octet-stream"
    return {
        "reference": clean(address or "")[:2048],
        "media_type": clean(given)[:255],
        "name": cut(name, limits.FILE_NAME)[0] if name else None,
        "size": size if type(size) is int and 0 <= size < 2**63 else None,
    }


def kind_of(attachment: dict[str, Any]) -> str:
    """Return the kind of a message that is nothing but a file."""
    major = attachment["media_type"].partition("/")[0]
    return major if major in ("image", "audio", "video") else "document"


def first(source: Any, *path: str) -> dict[str, Any]:
    """Return the first object of the list at a path, or an empty one."""
    return next((each for each in list_at(source, *path) if isinstance(each, dict)), {})


def answer(source: Any, name: str = "name", value: str = "value") -> tuple[str, str]:
    """Return one answer of a form as name and value."""
    return string_at(source, name) or "", string_at(source, value) or ""
