"""From events to what the profile needs of them: whose, which names and links, and the entry.

Contact events and customer records say whom they are about in `data.contact_points`, decisions in
`data.about`, and events of a type this version does not know in either, if at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from services.profile.domain.identity import PROVIDER_LINK, SYSTEM_OF_RECORD_LINK
from services.profile.domain.profile import Name, display_name, recorded_name
from services.profile.domain.timeline import Entry
from shared.clock import to_milliseconds
from shared.events import Event, OpaqueEvent
from shared.events.contact import ContactData, ContactPointChangedData
from shared.events.customers import CustomerRecordedData
from shared.events.envelope import ContactPoint

_PREFIX = "throughline."
_IN_FIELDS = {"channel", "conversation_id", "received_at", "about"}  # of the entry, so not in data
_CONTACT_POINTS = TypeAdapter(Annotated[tuple[ContactPoint, ...], Field(min_length=1)])


@dataclass(frozen=True, slots=True)
class Fact:
    """What an event says about whose it is.

    `contact_points` are one person's, the one it happened on first; `link_kind` says on whose word
    and is None where they are no evidence. `contacted` says that the customer and we were in touch.
    """

    contact_points: tuple[str, ...]
    at: datetime
    link_kind: str | None = None
    name: Name | None = None
    contacted: bool = False


def read_fact(event: Event) -> Fact | None:
    """Return what an event says about whose it is; None if nothing, as some unknown types do."""
    at = _whole_milliseconds(event.time)
    if isinstance(event, OpaqueEvent):
        contact_points = _opaque_contact_points(event.data or {})
        return Fact(contact_points[:1], at) if contact_points else None
    data: Any = event.data  # type: ignore[attr-defined]  # every event but the base has data
    if isinstance(data, ContactData):
        return _contact_fact(data, at)
    if isinstance(data, CustomerRecordedData):
        name = recorded_name(data.name, at) if data.name else None
        return Fact(tuple(dict.fromkeys(data.contact_points)), at, SYSTEM_OF_RECORD_LINK, name)
    return Fact(data.about.contact_points[:1], at)


def _contact_fact(data: ContactData, at: datetime) -> Fact:
    contact_points = data.contact_points
    if isinstance(data, ContactPointChangedData):
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
    if isinstance(event, OpaqueEvent):
        return _entry(event, fact, customer_id, now, {"raw": _as_text(data)}, opaque=True)
    about = data if isinstance(data, ContactData) else getattr(data, "about", None)
    content: dict[str, Any] = data.model_dump(exclude_none=True, exclude=_IN_FIELDS)
    if "raw" in content:
        content["raw"] = _as_text(data.raw)
    return _entry(event, fact, customer_id, now, content, about, getattr(data, "received_at", None))


def _entry(
    event: Event,
    fact: Fact,
    customer_id: str,
    now: datetime,
    data: dict[str, Any],
    about: Any = None,
    received_at: datetime | None = None,
    opaque: bool = False,
) -> Entry:
    return Entry(
        entry_id=event.id,
        customer_id=customer_id,
        kind=event.type if opaque else _kind(event.type),
        occurred_at=fact.at,
        received_at=received_at,
        recorded_at=now,
        channel=getattr(about, "channel", None),
        conversation_id=getattr(about, "conversation_id", None),
        case_id=getattr(about, "case_id", None),
        case_reference=getattr(about, "case_reference", None),
        data=data,
        opaque=opaque,
    )


@cache  # over our own types only: they are a fixed few
def _kind(wire_type: str) -> str:
    return wire_type.removeprefix(_PREFIX).rpartition(".")[0]


def _as_text(value: Any) -> str:
    # JSON of others can hold what BSON cannot (integers over 64 bits, keys with NUL); one such
    # document would stop the partition. As text, everything is kept.
    return to_json(value).decode()


def _whole_milliseconds(moment: datetime) -> datetime:
    return moment if moment.microsecond % 1000 == 0 else to_milliseconds(moment)
