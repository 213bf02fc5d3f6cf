"""Builders of the events the profile service reads; every field has a plausible default."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.profile.handlers import Handlers
from shared.events import About, Event
from shared.events.contact import ContactPointChanged, MessageReceived, MessageSent
from shared.events.customers import CustomerRecorded
from shared.events.envelope import OpaqueEvent
from shared.events.routing import CaseOpened
from shared.events.sla import ClockStarted, ClockWarned
from shared.ids import KeyedIds, derived_id
from shared.streams import Received

IDS = KeyedIds("a key for tests only")
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
TEL = "tel:+38640123456"
EMAIL = "email:ana@example.si"
WHATSAPP = "whatsapp:38640123456"


def processor() -> Any:
    """Return the profile's processor under the tests' id key."""
    return Handlers(IDS).processor()


def customer_id(contact_point: str) -> str:
    """Return the customer id made from a contact point."""
    return IDS.customer_id(contact_point)


def at(minutes: float) -> datetime:
    """Return a time so many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def received(*events: Event) -> list[Received]:
    """Return the events as they come from one partition."""
    return [Received(event, "profile/contact-events/0") for event in events]


def contact(
    *contact_points: str, time: datetime = NOON, name: str | None = None, number: int = 0
) -> dict[str, Any]:
    """Return what every contact event's data holds."""
    return {
        "channel": "sms",
        "provider": "twilio",
        "channel_account": "tel:+38618888888",
        "conversation_id": f"conv_{contact_points[0]}",
        "contact_points": contact_points,
        "display_name": name,
        "occurred_at": time,
        "received_at": time + timedelta(seconds=1),
        "provider_event_id": f"SM{number}",
    }


def message(
    *contact_points: str,
    text: str = "Where is my parcel?",
    subject: str | None = None,
    name: str | None = None,
    time: datetime = NOON,
    number: int = 0,
    **data: Any,
) -> MessageReceived:
    """Return a message a customer wrote."""
    points = contact_points or (TEL,)
    return MessageReceived.model_validate(
        _envelope("message", *points, number=number, time=time)
        | {
            "data": contact(*points, time=time, name=name, number=number)
            | {"message_id": f"m{number}", "text": text, "subject": subject}
            | data
        }
    )


def reply(*contact_points: str, text: str = "On its way.", time: datetime = NOON) -> MessageSent:
    """Return a message an agent wrote."""
    points = contact_points or (TEL,)
    data = contact(*points, time=time) | {"message_id": "m-out", "text": text, "sender": "agent"}
    return MessageSent.model_validate(_envelope("reply", *points, time=time) | {"data": data})


def changed(previous: str, current: str, time: datetime = NOON) -> ContactPointChanged:
    """Return that a provider moved a customer from one address to another."""
    data = contact(current, time=time) | {"previous": previous, "current": current}
    return ContactPointChanged.model_validate(
        _envelope("changed", previous, current, time=time) | {"data": data}
    )


def record(
    *contact_points: str, name: str | None = "Ana Novak", time: datetime = NOON
) -> CustomerRecorded:
    """Return what a system of record says."""
    data = {
        "contact_points": contact_points,
        "name": name,
        "recorded_at": time,
        "received_at": time,
    }
    return CustomerRecorded.model_validate(
        _envelope("record", *contact_points, name or "", time=time) | {"data": data}
    )


def about(*contact_points: str) -> About:
    """Return whom a decision is about."""
    return About(
        conversation_id=f"conv_{(contact_points or (TEL,))[0]}",
        channel="sms",
        contact_points=contact_points or (TEL,),
        case_id="case_1",
        case_reference="7KF-M3X-QPW",
    )


def case_opened(*contact_points: str, time: datetime = NOON) -> CaseOpened:
    """Return that a case was opened."""
    data = {"about": about(*contact_points), "queue": "billing", "policy_version": "0" * 12}
    return CaseOpened.model_validate(_envelope("case", *contact_points, time=time) | {"data": data})


def _clock(*contact_points: str, due: datetime) -> dict[str, Any]:
    return {
        "about": about(*contact_points),
        "clock_id": "clock_1",
        "target": "first-response",
        "started_at": NOON,
        "due_at": due,
        "charter_version": "0" * 12,
    }


def clock_started(*contact_points: str, due: datetime) -> ClockStarted:
    """Return that a promise runs."""
    return ClockStarted.model_validate(
        _envelope("started", *contact_points) | {"data": _clock(*contact_points, due=due)}
    )


def clock_warned(*contact_points: str, due: datetime, time: datetime = NOON) -> ClockWarned:
    """Return that a promise is at risk: three quarters of its time are gone."""
    data = _clock(*contact_points, due=due) | {"elapsed_share": 0.75}
    return ClockWarned.model_validate(
        _envelope("warned", *contact_points, time=time) | {"data": data}
    )


def opaque(data: dict[str, Any] | None, time: datetime = NOON) -> OpaqueEvent:
    """Return an event of a type this version does not know."""
    kind = {"type": "throughline.parcel.lost.v1", "data": data}
    return OpaqueEvent.model_validate(_envelope("opaque", repr(data), time=time) | kind)


def _envelope(*parts: str, number: int = 0, time: datetime = NOON) -> dict[str, Any]:
    return {
        "id": derived_id("evt", *parts, str(number), time.isoformat()),
        "source": "/tests",
        "time": time,
        "partitionkey": "conv_1",
    }
