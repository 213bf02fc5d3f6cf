"""Which events mean something to a clock, and what: the only place that knows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.sla.domain.clock import CaseNamed, CustomerAsked, Fact, PersonAnswered
from shared.clock import to_milliseconds
from shared.events import Event
from shared.events.contact import (
    FormSubmitted,
    InteractionAnswered,
    InteractionStarted,
    MessageReceived,
    MessageSent,
    SelfServiceHandedOver,
)
from shared.events.routing import CaseOpened


@dataclass(frozen=True, slots=True)
class Heard:
    """A fact and the conversation it is about; the account is None where the event names none."""

    conversation_id: str
    channel: str
    channel_account: str | None
    fact: Fact


def heard_in(event: Event) -> Heard | None:
    """Return what an event tells a clock, or None for all that touches none."""
    read = _READERS.get(type(event))
    return read(event) if read else None


def _of(event: Any, fact: Fact) -> Heard:
    data = event.data
    return Heard(data.conversation_id, data.channel, data.channel_account, fact)


def _asked(event: Any) -> Heard:
    return _of(event, CustomerAsked(to_milliseconds(event.time), event.data.contact_points))


def _answered(event: Any) -> Heard:
    return _of(event, PersonAnswered(to_milliseconds(event.time)))


def _received(event: MessageReceived) -> Heard | None:
    return None if event.data.automatic else _asked(event)


def _sent(event: MessageSent) -> Heard | None:
    by_a_person = event.data.sender == "agent" and not event.data.automatic
    return _answered(event) if by_a_person else None


def _rang(event: InteractionStarted) -> Heard | None:
    # A chat session begins before anybody has asked anything; its first message starts the clock.
    is_call_to_us = event.data.channel == "voice" and event.data.direction == "inbound"
    return _asked(event) if is_call_to_us else None


def _case_opened(event: CaseOpened) -> Heard | None:
    about = event.data.about
    if about.case_id is None:
        return None
    fact = CaseNamed(about.case_id, about.case_reference)
    return Heard(about.conversation_id, about.channel, None, fact)


_READERS: dict[type[Event], Callable[[Any], Heard | None]] = {
    MessageReceived: _received,
    FormSubmitted: _asked,
    SelfServiceHandedOver: _asked,
    InteractionStarted: _rang,
    MessageSent: _sent,
    InteractionAnswered: _answered,
    CaseOpened: _case_opened,
}
