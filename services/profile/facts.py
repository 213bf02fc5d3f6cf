"""From events to what the profile needs of them: whose, which names and links, and the entry.

Contact events and customer records say whom they are about in `data.contact_points`, decisions in
`data.about`, and events of a type this version does not know in either, if at all.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, auto
from functools import cache
from typing import Annotated, Any, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from services.profile.domain.identity import PROVIDER_LINK, SYSTEM_OF_RECORD_LINK
from services.profile.domain.profile import Name, display_name, recorded_name
from services.profile.domain.timeline import Entry
from shared.clock import to_milliseconds
from shared.events import Event, OpaqueEvent
from shared.events.contact_data import ContactData, ContactPointChangedData
from shared.events.customers import CustomerRecordedData
from shared.events.envelope import ContactPoint

_PREFIX = "throughline."
_IN_FIELDS = ("channel", "conversation_id", "received_at")  # of the entry, so not in data
_CONTACT_POINTS = TypeAdapter(Annotated[tuple[ContactPoint, ...], Field(min_length=1)])


class Fact(NamedTuple):
    """What an event says about whose it is.

    `contact_points` are one person's, the one it happened on first; `link_kind` says on whose word
    and is None where they are no evidence. `contacted` says that the customer and we were in touch.
    """

    contact_points: tuple[str, ...]
    at: datetime
    link_kind: str | None = None
    name: Name | None = None
    contacted: bool = False


class _Shape(Enum):
    CONTACT = auto()
    RECORD = auto()
    DECISION = auto()
    OPAQUE = auto()


@cache  # over our own classes: `isinstance` of a pydantic model costs a microsecond each time
def _shape(event: type[Event]) -> _Shape:
    if issubclass(event, OpaqueEvent):
        return _Shape.OPAQUE
    data: Any = event.model_fields["data"].annotation
    if issubclass(data, ContactData):
        return _Shape.CONTACT
    return _Shape.RECORD if issubclass(data, CustomerRecordedData) else _Shape.DECISION


def read_fact(event: Event) -> Fact | None:
    """Return what an event says about whose it is; None if nothing, as some unknown types do."""
    at = _whole_milliseconds(event.time)
    data: Any = event.data  # type: ignore[attr-defined]  # every event but the base has data
    match _shape(type(event)):
        case _Shape.CONTACT:
            return _contact_fact(data, at)
        case _Shape.RECORD:
            name = recorded_name(data.name, at) if data.name else None
            return Fact(tuple(dict.fromkeys(data.contact_points)), at, SYSTEM_OF_RECORD_LINK, name)
        case _Shape.DECISION:
            return Fact(data.about.contact_points[:1], at)
        case _Shape.OPAQUE:
            contact_points = _opaque_contact_points(data or {})
            return Fact(contact_points[:1], at) if contact_points else None


def _contact_fact(data: ContactData, at: datetime) -> Fact:
    contact_points = data.contact_points
    if type(data) is ContactPointChangedData:
        contact_points = (*contact_points, data.previous, data.current)
    if len(contact_points) > 1:
        contact_points = tuple(dict.fromkeys(contact_points))
    name = display_name(data.display_name, at) if data.display_name else None
    return Fact(contact_points, at, PROVIDER_LINK, name, contacted=True)


def _opaque_contact_points(data: Mapping[str, Any]) -> tuple[str, ...]:
    about = data.get("about")
    named = data.get("contact_points") or (
        about.get("contact_points") if isinstance(about, Mapping) else None
    )
    try:
        return _CONTACT_POINTS.validate_python(named)
    except ValidationError:
        return ()


def read_entry(event: Event, fact: Fact, customer_id: str, now: datetime) -> Entry:
    """Return the timeline entry of an event, for the customer id of its first contact point."""
    data: Any = event.data  # type: ignore[attr-defined]
    shape = _shape(type(event))
    if shape is _Shape.OPAQUE:
        return Entry(
            entry_id=event.id,
            customer_id=customer_id,
            kind=event.type,
            occurred_at=fact.at,
            recorded_at=now,
            data={"raw": _as_text(data)},
            opaque=True,
        )
    if shape is _Shape.CONTACT:
        return Entry(
            entry_id=event.id,
            customer_id=customer_id,
            kind=_kind(event.type),
            occurred_at=fact.at,
            recorded_at=now,
            data=_contact_content(data),
            received_at=data.received_at,
            channel=data.channel,
            conversation_id=data.conversation_id,
        )
    content: dict[str, Any] = data.model_dump(exclude_none=True)
    if shape is _Shape.RECORD:
        return Entry(
            entry_id=event.id,
            customer_id=customer_id,
            kind=_kind(event.type),
            occurred_at=fact.at,
            recorded_at=now,
            data=content,
            received_at=content.pop("received_at"),
        )
    del content["about"]
    return Entry(
        entry_id=event.id,
        customer_id=customer_id,
        kind=_kind(event.type),
        occurred_at=fact.at,
        recorded_at=now,
        data=content,
        channel=data.about.channel,
        conversation_id=data.about.conversation_id,
        case_id=data.about.case_id,
        case_reference=data.about.case_reference,
    )


def _contact_content(data: ContactData) -> dict[str, Any]:
    content: dict[str, Any] = data.model_dump(exclude_none=True)
    for field in _IN_FIELDS:  # a third of the cost of leaving them out with `exclude`
        del content[field]
    if data.raw is not None:
        content["raw"] = _as_text(data.raw)
    return content


@cache  # over our own types only: they are a fixed few
def _kind(wire_type: str) -> str:
    return wire_type.removeprefix(_PREFIX).rpartition(".")[0]


def _as_text(value: Any) -> str:
    # JSON of others can hold what BSON cannot (integers over 64 bits, keys with NUL); one such
    # document would stop the partition. As text, everything is kept.
    return to_json(value).decode()


def _whole_milliseconds(moment: datetime) -> datetime:
    return moment if moment.microsecond % 1000 == 0 else to_milliseconds(moment)
