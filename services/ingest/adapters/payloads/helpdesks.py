"""What helpdesks have in common: payloads in parts, people with ids of its own, echoes.

A customer is known by the helpdesk's id, within the helpdesk's own account. A telephone number or
an e-mail address counts only where the message came over it: in a chat window anybody can type
anybody's.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, json_object, kept_whole, room_for_parts
from services.ingest.adapters.contract import Broken, Parsed
from services.ingest.adapters.payloads.json_parts import Translation, message_event, translated
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain import limits
from services.ingest.domain.files import kind_of_file
from services.ingest.domain.json_fields import list_at, string_at
from services.ingest.domain.text import clean, cut, short
from shared.contact_points import contact_point
from shared.events import Event
from shared.events.contact import ContactUnrecognised, FormSubmitted
from shared.ids import KeyedIds

_FILES = 100  # attachments of one message: helpdesks allow 10 to 15
_ANSWERS = 200  # as the event model allows


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as the helpdesk knows them: contact points (its own first), name, conversation."""

    points: tuple[str, ...]
    conversation: tuple[str, ...]
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


class Helpdesk(ABC):
    """What a helpdesk's adapter is besides an `Adapter`: its requests hold one JSON object."""

    @abstractmethod
    def translate(self, builder: Builder, part: dict[str, Any]) -> Translation:
        """Return what one part means; raise `Ignored` for one that concerns no customer."""

    def split(self, payload: dict[str, Any]) -> Iterable[dict[str, Any]]:
        """Return payloads of one part each; most helpdesks send nothing else."""
        return (payload,)

    def parse(
        self, request: RawRequest, account: ChannelAccount, received_at: datetime, ids: KeyedIds
    ) -> Parsed:
        """Translate one event, in all its parts; the helpdesk's clock is vouched for."""
        if not request.body:
            return Parsed(ignored=("empty",))  # a test call, or a request without a body
        payload = json_object(request.body)
        builder = Builder(account, received_at, ids, vouched=True)

        def as_body(part: dict[str, Any]) -> bytes:
            return request.body if part is payload else json.dumps(part).encode()

        room, parts = room_for_parts(request.body), self.split(payload)
        return translated(parts, lambda part: self.translate(builder, part), as_body, room)


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
    return message_event(
        builder,
        message_id,
        (said or None, truncated),
        sent_by=sender,
        **common(who),
        kind=kind
        or ("text" if said or not attachments else kind_of_file(attachments[0]["media_type"])),
        attachments=attachments,
        **({"agent_id": agent_id} if sender else {}),
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
    return {
        "conversation": who.conversation,
        "contact_points": who.points,
        "display_name": who.name,
    }


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


def first(source: Any, *path: str) -> dict[str, Any]:
    """Return the first object of the list at a path, or an empty one."""
    return next((each for each in list_at(source, *path) if isinstance(each, dict)), {})


def answer(source: Any, name: str = "name", value: str = "value") -> tuple[str, str]:
    """Return one answer of a form as name and value."""
    return string_at(source, name) or "", string_at(source, value) or ""
