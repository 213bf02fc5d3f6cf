"""Builders for the sla service's tests: charters, contact events, and a world to run them in."""

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from services.sla.domain.charter import CharterFile
from services.sla.domain.promises import Charter, charter_of
from services.sla.handlers import Handlers
from services.sla.store import CLOCKS, clock_id_of
from shared.case_reference import case_reference
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
from shared.ids import derived_id
from shared.policy import Policy
from shared.streams import Document, Effects, Incoming, Received, State, TimerDue
from shared.streams.effects import CancelTimer, Save, SetTimer

E = TypeVar("E", bound=Event)

NOON = datetime(2026, 6, 3, 12, 0, tzinfo=UTC)  # a Wednesday
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

ALWAYS = {"zone": "Europe/Ljubljana", "hours": {"every-day": ["00:00-24:00"]}}
OFFICE = {
    "zone": "Europe/Ljubljana",
    "hours": {
        day: ["08:00-12:00", "13:00-17:00"]
        for day in ("monday", "tuesday", "wednesday", "thursday", "friday")
    },
    "exceptions": {"2026-12-25": [], "2026-12-24": ["08:00-12:00"]},
}


def promise(
    channel: str = "email",
    within: str = "4h",
    calendar: str = "always",
    warn_at: Iterable[float] = (0.75,),
    channel_account: str | None = None,
) -> dict[str, Any]:
    """Return a promise as `charter.yaml` writes it."""
    first_response = {"within": within, "calendar": calendar, "warn_at": list(warn_at)}
    written: dict[str, Any] = {"channel": channel, "first_response": first_response}
    return written | ({"channel_account": channel_account} if channel_account else {})


def charter(*promises: dict[str, Any], version: str = "0123456789ab") -> Charter:
    """Return a charter with these promises and the calendars `always` and `office`."""
    content = CharterFile.model_validate(
        {
            "calendars": {"always": ALWAYS, "office": OFFICE},
            "promises": list(promises) or [promise()],
        }
    )
    return charter_of(Policy(content, version))


_numbers = itertools.count(1)


def contact(
    kind: type[E],
    at: datetime = NOON,
    *,
    conversation: str = "conv_1",
    channel: str = "email",
    account: str = "help@example.com",
    **data: Any,
) -> E:
    """Return a contact event of any kind at an event time."""
    number = next(_numbers)
    return kind.model_validate(
        {
            "id": f"evt_{number}",
            "source": "/ingest",
            "type": kind.wire_type,
            "time": at,
            "partitionkey": conversation,
            "data": {
                "channel": channel,
                "provider": "example",
                "channel_account": account,
                "conversation_id": conversation,
                "contact_points": ("email:ana@example.com",),
                "received_at": at,
                "provider_event_id": str(number),
                "message_id": f"msg_{number}",
                "interaction_id": f"call_{number}",
                "form": "contact",
                "sender": "agent",
                **data,
            },
        }
    )


def customer_writes(at: datetime = NOON, **data: Any) -> MessageReceived:
    """Return a customer's message."""
    return contact(MessageReceived, at, **data)


def agent_writes(at: datetime = NOON, **data: Any) -> MessageSent:
    """Return an agent's message."""
    return contact(MessageSent, at, **data)


def customer_calls(at: datetime = NOON, **data: Any) -> InteractionStarted:
    """Return an inbound call that begins to ring."""
    return contact(InteractionStarted, at, **{"channel": "voice", **data})


def agent_picks_up(at: datetime = NOON, **data: Any) -> InteractionAnswered:
    """Return an answered call."""
    return contact(InteractionAnswered, at, **{"channel": "voice", **data})


def form_comes_in(at: datetime = NOON, **data: Any) -> FormSubmitted:
    """Return a submitted form."""
    return contact(FormSubmitted, at, **{"channel": "form", **data})


def bot_hands_over(at: datetime = NOON, **data: Any) -> SelfServiceHandedOver:
    """Return a self-service run that asks for an agent."""
    return contact(SelfServiceHandedOver, at, **{"channel": "chat", **data})


def case_opens(
    at: datetime = NOON, conversation: str = "conv_1", channel: str = "email"
) -> CaseOpened:
    """Return the case that a conversation opened."""
    case_id = derived_id("case", conversation)
    return CaseOpened.model_validate(
        {
            "id": f"evt_case_{conversation}",
            "source": "/routing",
            "time": at,
            "partitionkey": conversation,
            "data": {
                "about": {
                    "conversation_id": conversation,
                    "channel": channel,
                    "contact_points": ("email:ana@example.com",),
                    "case_id": case_id,
                    "case_reference": case_reference(case_id),
                },
                "queue": "general",
                "policy_version": "abcdef012345",
            },
        }
    )


class SlaWorld:
    """The sla processor over documents and timers in memory, applied as the stream layer does."""

    def __init__(self, in_force: Charter | None = None) -> None:
        self.handlers = Handlers(in_force or charter())
        self.documents: dict[str, Document] = {}
        self.timers: dict[str, SetTimer] = {}
        self.published: list[Any] = []
        self.counts: list[tuple[str, dict[str, str]]] = []

    def hears(self, *events: Event, now: datetime = NOON) -> list[Any]:
        """Handle events as one batch; return what was published."""
        return self.handles([Received(event, "sla/contact-events/0") for event in events], now)

    def ticks(self, now: datetime) -> list[Any]:
        """Fire the timers that are due; return what was published."""
        due = [
            TimerDue(timer.timer_id, timer.kind, timer.due_at, timer.data, timer.shard)
            for timer in self.timers.values()
            if timer.due_at <= now
        ]
        return self.handles(due, now)

    def ticks_until_quiet(self, now: datetime) -> list[Any]:
        """Fire timers until none is due any more; return what was published."""
        published = []
        while any(timer.due_at <= now for timer in self.timers.values()):
            published += self.ticks(now)
        return published

    def handles(self, incoming: Sequence[Incoming], now: datetime) -> list[Any]:
        """Handle one batch; return what was published."""
        state = State()
        for find in self.handlers.needs(incoming, state):
            state.add(find.collection, [self.documents[i] for i in find.ids if i in self.documents])
        effects = self.handlers.decide(incoming, state, now)
        self._apply(effects, incoming)
        published = [publish.event for publish in effects.publishes]
        self.published += published
        return published

    def _apply(self, effects: Effects, incoming: Sequence[Incoming]) -> None:
        for write in effects.writes:
            assert isinstance(write, Save)
            assert write.collection == CLOCKS
            self.documents[write.document["_id"]] = write.document
        for item in incoming:
            if isinstance(item, TimerDue):
                self.timers.pop(item.timer_id, None)
        for change in effects.timers:
            if isinstance(change, CancelTimer):
                self.timers.pop(change.timer_id, None)
            else:
                self.timers[change.timer_id] = change
        self.counts += [(count.metric, dict(count.labels)) for count in effects.counts]

    def clock(self, conversation: str = "conv_1") -> Document:
        """Return a conversation's clock as it is kept."""
        return self.documents[clock_id_of(conversation)]

    def results(self) -> list[str]:
        """Return the outcomes counted so far."""
        return [labels["result"] for _, labels in self.counts if "result" in labels]


def kinds(published: Iterable[Event]) -> list[str]:
    """Return the types of events as short names, in order."""
    return [event.type.split(".")[2] for event in published]
