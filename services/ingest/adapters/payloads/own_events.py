"""From an integrator's CloudEvent to an event of ours: strict at the edge, stamped by us.

Id, partition key, `received_at` and event time are ours to set. Contact points are brought to
their one written form. Fields of `data` that this version does not know are refused, because a
typing error that is silently dropped costs the integrator days; on our own topics they are
ignored (additive within v1).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from services.ingest.domain.channels import Permission
from services.ingest.domain.json_fields import string_at
from services.ingest.domain.text import clean
from shared.clock import event_time, to_milliseconds
from shared.contact_points import InvalidContactPoint, parse_contact_point
from shared.events import Event
from shared.events.contact_data import (
    ContactData,
    ContactPointChangedData,
    InteractionRecordedData,
    MessageData,
)
from shared.events.customers import CustomerRecorded, CustomerRecordedData
from shared.events.envelope import Moment, Record
from shared.events.topics import CONTACT_INBOX
from shared.ids import KeyedIds, derived_id, is_conversation_id
from shared.streams.publisher import EventTooLarge, outgoing

_TYPES: dict[str, type[Event]] = {kind.wire_type: kind for kind in CONTACT_INBOX.events}
_OURS = "throughline."
_TIME = TypeAdapter(Moment)
_OUTSIDE = ("greater_than_equal", "less_than_equal")  # of a number, too: those are not written
_MOMENTS = ("occurred_at", "recorded_at")
_POINTS = ("previous", "current")
_POINT_LISTS = ("contact_points", "verified")


@dataclass(frozen=True, slots=True)
class ItemError:
    """What is wrong with one event of a request; never holds any of its values."""

    index: int
    code: str
    message: str
    fix: str


class _Refused(Exception):
    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(code)
        self.code, self.message, self.fix = code, message, fix


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the sender may, when it arrived, and under which key ids of addresses are made."""

    permission: Permission
    received_at: datetime
    ids: KeyedIds


def translate(items: Sequence[dict[str, Any]], stamp: Stamp) -> tuple[list[Event], list[ItemError]]:
    """Return the events in order, and an error for each item that is refused."""
    events: list[Event] = []
    errors: list[ItemError] = []
    for index, item in enumerate(items):
        try:
            events.append(_event(item, stamp))
        except _Refused as refused:
            errors.append(ItemError(index, refused.code, refused.message, refused.fix))
        except InvalidContactPoint as error:
            errors.append(ItemError(index, "invalid-contact-point", error.problem, error.fix))
        except ValidationError as error:
            fix = f"See /schemas/inbox/{item['type']}.json."
            errors.append(ItemError(index, "invalid", _describe(error), fix))
    return events, errors


def _event(item: dict[str, Any], stamp: Stamp) -> Event:
    kind = _kind(item)
    own_id, source = _attribute(item, "id", 256), _attribute(item, "source", 512)
    given = item.get("data")
    if not isinstance(given, dict) or "data_base64" in item:
        raise _Refused("invalid", "The event has no JSON object as data.", "Send data as JSON.")
    data = {**given, "received_at": stamp.received_at}
    _normalise(data)
    claimed = _moment(data, item)
    if kind is CustomerRecorded:
        _require_records(stamp.permission)
    else:
        _require_account(data, stamp.permission)
        data.setdefault("provider_event_id", own_id)
        data["occurred_at"] = claimed
        data["conversation_id"] = _conversation(data, stamp.ids)
    checked = _strict(kind, data).in_milliseconds()
    if isinstance(checked, CustomerRecordedData):
        _require_listed(checked)
    elif isinstance(checked, ContactData):
        _require_one_contact_point(checked, stamp.permission)
        _require_no_blob(checked)
    partition_key = (
        checked.contact_points[0]
        if isinstance(checked, CustomerRecordedData)
        else data["conversation_id"]
    )
    event = kind.model_validate(
        {
            "id": derived_id("evt", stamp.permission.integrator, source, own_id),
            "source": source,
            "type": kind.wire_type,
            "time": event_time(claimed, stamp.received_at, vouched=stamp.permission.trusted_time),
            "subject": string_at(item, "subject"),
            "partitionkey": partition_key,
            "data": checked,
        }
    )
    _require_publishable(event)
    return event


def _kind(item: dict[str, Any]) -> type[Event]:
    if item.get("specversion") != "1.0":
        raise _Refused("invalid", "The specversion is not 1.0.", 'Set specversion to "1.0".')
    named = string_at(item, "type") or ""
    kind = _TYPES.get(named)
    if kind is not None:
        media_type = (string_at(item, "datacontenttype") or "application/json").partition(";")[0]
        if media_type.strip().lower() != "application/json":
            raise _Refused("invalid", "The data is not JSON.", "Send data as application/json.")
        return kind
    if named.startswith(_OURS):
        raise _Refused(
            "unknown-type",
            "This version of Throughline does not take this type of event.",
            "Use a type of this version, or upgrade ingest first.",
        )
    raise _Refused(
        "foreign-type",
        "Only contact events and customer records are taken here.",
        "Use a type throughline.<noun>.<verb>.v1.",
    )


def _attribute(item: dict[str, Any], name: str, limit: int) -> str:
    found = item.get(name)
    if not isinstance(found, str) or not found or len(found) > limit or clean(found) != found:
        raise _Refused(
            "invalid",
            f"The attribute {name} is missing or too long.",
            f"Give the event its {name}.",
        )
    return found


def _normalise(data: dict[str, Any]) -> None:
    """Bring every contact point to its one written form; leave wrong types to the model."""
    for name in _POINT_LISTS:
        if isinstance(points := data.get(name), list):
            data[name] = list(
                dict.fromkeys(parse_contact_point(p) if isinstance(p, str) else "" for p in points)
            )
    for name in _POINTS:
        if isinstance(data.get(name), str):
            data[name] = parse_contact_point(data[name])


def _moment(data: dict[str, Any], item: dict[str, Any]) -> datetime | None:
    """Return when the integrator says it happened: the data's own time, else the envelope's."""
    for given in (*(data.get(name) for name in _MOMENTS), item.get("time")):
        if given is None:
            continue
        try:
            return to_milliseconds(_TIME.validate_python(given if isinstance(given, str) else ""))
        except ValidationError:
            raise _Refused(
                "invalid-time",
                "A time is not RFC 3339 with a zone, from 1970 to 2200.",
                "Write it as 2026-11-03T09:15:00Z.",
            ) from None
    return None


def _require_listed(record: CustomerRecordedData) -> None:
    if not set(record.verified) <= set(record.contact_points):
        raise _Refused(
            "invalid",
            "A verified contact point is not among contact_points.",
            "List every verified contact point under contact_points, too.",
        )


def _require_account(data: dict[str, Any], permission: Permission) -> None:
    named = f"{string_at(data, 'provider')}/{string_at(data, 'channel_account')}"
    if "*" not in permission.channel_accounts and named not in permission.channel_accounts:
        raise _Refused(
            "forbidden-channel-account",
            "This integrator may not send events of this channel account.",
            "List the channel account under its entry in channels.yaml.",
        )


def _require_records(permission: Permission) -> None:
    if not permission.customer_records:
        raise _Refused(
            "forbidden-customer-records",
            "This integrator may not send customer records.",
            "Set customer_records: true under its entry in channels.yaml.",
        )


def _require_one_contact_point(told: ContactData, permission: Permission) -> None:
    """Refuse what links contact points, from whoever may not tell us whose they are."""
    links = len(told.contact_points) > 1 or isinstance(told, ContactPointChangedData)
    if links and not permission.customer_records:
        raise _Refused(
            "forbidden-link",
            "This integrator may not say that contact points belong to one customer.",
            "Send one contact point in each event and no contact-point.changed, or set "
            "customer_records: true under its entry in channels.yaml.",
        )


def _require_no_blob(told: ContactData) -> None:
    """Refuse references to what we keep: whoever names one could ask us for it."""
    files = told.attachments if isinstance(told, MessageData) else ()
    references = [file.reference for file in files]
    if isinstance(told, MessageData):
        references.append(told.original or "")
    elif isinstance(told, InteractionRecordedData):
        references.append(told.recording.reference)
    if any(reference.startswith("blob:") for reference in references):
        raise _Refused(
            "forbidden-reference",
            "An event may not refer to a file that we keep (blob:).",
            "Refer to the file where its provider has it.",
        )


def _conversation(data: dict[str, Any], ids: KeyedIds) -> str:
    """Return our id of the conversation; one that is ours already stays if it is this account's.

    Our ids are no secret (a plus-address holds one), so they open no door to another account.
    """
    given = string_at(data, "conversation_id")
    if given is None:
        raise _Refused(
            "invalid", "data.conversation_id is missing.", "Name the conversation it belongs to."
        )
    provider, account = string_at(data, "provider") or "", string_at(data, "channel_account") or ""
    if is_conversation_id(given):
        if ids.is_conversation_of(given, provider, account):
            return given
        raise _Refused(
            "foreign-conversation",
            "data.conversation_id is none of this channel account's conversations.",
            "Name the provider and channel_account that the conversation is on.",
        )
    return ids.conversation_id(provider, account, given)


def _strict(kind: type[Event], data: dict[str, Any]) -> Record:
    model = kind.model_fields["data"].annotation
    assert isinstance(model, type) and issubclass(model, Record)
    return model.model_validate(data, extra="forbid")


def _require_publishable(event: Event) -> None:
    """Encode it once to see whether it can be: free JSON may hold what UTF-8 cannot."""
    try:
        outgoing(event)
    except EventTooLarge as error:
        raise _Refused("too-large", error.problem, error.fix) from None
    except PydanticSerializationError:
        raise _Refused(
            "invalid", "The data holds text that is not Unicode.", "Send whole characters."
        ) from None


def _describe(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_context=False)
    named = (f"{_place(detail['loc'])}: {_problem(detail)}" for detail in details[:5])
    return f"The event is not valid ({'; '.join(named)})."


def _problem(detail: Mapping[str, Any]) -> str:
    limits_of_time = detail["type"] in _OUTSIDE and isinstance(detail["input"], str)
    return "time_out_of_range" if limits_of_time else str(detail["type"])


def _place(steps: Iterable[Any]) -> str:
    """Return where in the data; an unknown field's name is shown, it is what helps."""
    return ".".join(str(step)[:64] for step in steps) or "data"
