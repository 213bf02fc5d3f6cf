"""Builders and a small in-memory world for routing's tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.routing.domain.policy import OfferPolicy, Queue, RoutingPolicy
from services.routing.handlers import Matcher
from services.routing.store import AGENTS, ASSIGNMENTS
from shared.events import About, Event
from shared.events.contact import MessageReceived
from shared.events.contact_data import MessageData
from shared.events.routing import (
    AgentDeclared,
    AgentDeclaredData,
    AgentStatusDeclared,
    AgentStatusDeclaredData,
    OfferAnswered,
    OfferAnsweredData,
    WorkItemFinished,
    WorkItemFinishedData,
    WorkItemSubmitted,
    WorkItemSubmittedData,
)
from shared.streams import Document, Effects, Find, Incoming, Received, State, TimerDue
from shared.streams.effects import CancelTimer, Delete, Guarded, Insert, Save, SetTimer

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
POOL = "default"


def at(seconds: float) -> datetime:
    """Return a moment so many seconds after the start of the test."""
    return START + timedelta(seconds=seconds)


def policy(**offers: Any) -> RoutingPolicy:
    """Return a policy with one queue, `general`, and one that needs the skill `orders`."""
    return RoutingPolicy(
        pools=(POOL,),
        queues={
            "general": Queue(pool=POOL),
            "orders": Queue(pool=POOL, required_skills=("orders",)),
        },
        default_queue="general",
        offers=OfferPolicy(**offers),
    )


def message(text: str = "Hello", seconds: float = 0, **changes: Any) -> MessageReceived:
    """Return a customer's message that came in so many seconds after the start."""
    moment = at(seconds)
    data = {
        "channel": "email",
        "provider": "smtp",
        "channel_account": "help@example.com",
        "conversation_id": "conv-1",
        "contact_points": ("email:ana@example.com",),
        "received_at": moment,
        "provider_event_id": f"m-{seconds}",
        "message_id": f"m-{seconds}",
        "text": text,
    } | changes
    return MessageReceived(
        id=f"evt-{data['conversation_id']}-{seconds}",
        source="/ingest",
        time=moment,
        partitionkey=str(data["conversation_id"]),
        data=MessageData.model_validate(data),
    )


def submitted(number: int, seconds: float = 0, **changes: Any) -> WorkItemSubmitted:
    """Return the submission of work item `work-<number>`."""
    about = About(
        conversation_id=f"conv-{number}",
        channel="chat",
        contact_points=("email:ana@example.com",),
        case_id=f"case-{number}",
        case_reference="7KF-M3X-QPW",
    )
    data = {
        "work_item_id": f"work-{number}",
        "about": about,
        "pool": POOL,
        "queue": "general",
        "arrived_at": at(seconds),
        "policy_version": "test",
    } | changes
    return WorkItemSubmitted(
        id=f"submitted-{number}",
        source="/routing",
        time=at(seconds),
        partitionkey=POOL,
        data=WorkItemSubmittedData.model_validate(data),
    )


def declared(agent_id: str = "agent-maja", seconds: float = 0, **changes: Any) -> AgentDeclared:
    """Return the declaration of an agent, available and with 2 units unless changed."""
    data = {
        "agent_id": agent_id,
        "name": agent_id.title(),
        "pool": POOL,
        "capacity_units": 2,
        "status": "available",
    } | changes
    return AgentDeclared(
        id=f"declared-{agent_id}-{seconds}",
        source="/routing",
        time=at(seconds),
        partitionkey=POOL,
        data=AgentDeclaredData.model_validate(data),
    )


def status(agent_id: str, status: str, seconds: float) -> AgentStatusDeclared:
    """Return an agent's declaration of a status."""
    return AgentStatusDeclared(
        id=f"status-{agent_id}-{seconds}",
        source="/routing",
        time=at(seconds),
        partitionkey=POOL,
        data=AgentStatusDeclaredData(agent_id=agent_id, pool=POOL, status=status),
    )


def answered(offer_id: str, agent_id: str, answer: str, seconds: float) -> OfferAnswered:
    """Return an agent's answer to an offer."""
    return OfferAnswered(
        id=f"answered-{offer_id}-{seconds}",
        source="/routing",
        time=at(seconds),
        partitionkey=POOL,
        data=OfferAnsweredData.model_validate(
            {"offer_id": offer_id, "agent_id": agent_id, "pool": POOL, "answer": answer}
        ),
    )


def finished(work_item_id: str, agent_id: str, seconds: float) -> WorkItemFinished:
    """Return an agent's word that a work item is done."""
    return WorkItemFinished(
        id=f"finished-{work_item_id}-{seconds}",
        source="/routing",
        time=at(seconds),
        partitionkey=POOL,
        data=WorkItemFinishedData(work_item_id=work_item_id, agent_id=agent_id, pool=POOL),
    )


class GuardRefused(AssertionError):
    """A guarded update or the unique index refused what was decided."""


class World:
    """Documents, timers and published events; applies batches as the stream layer does."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.documents: dict[str, dict[str, Document]] = {}
        self.timers: dict[str, SetTimer] = {}
        self.published: list[Event] = []
        self.finds: list[Find] = []

    def run(self, *events: Event, seconds: float = 0) -> list[Event]:
        """Apply events as one batch; return what was published."""
        return self.apply([Received(event, "shard-0") for event in events], at(seconds))

    def due(self, seconds: float) -> list[SetTimer]:
        """Return the timers due by then, earliest first."""
        due = (timer for timer in self.timers.values() if timer.due_at <= at(seconds))
        return sorted(due, key=lambda timer: (timer.due_at, timer.timer_id))

    def fire(self, seconds: float, most: int = 500) -> list[Event]:
        """Apply the timers due by then as one batch; return what was published."""
        due = self.due(seconds)[:most]
        timers = [TimerDue(t.timer_id, t.kind, t.due_at, t.data, t.shard) for t in due]
        for timer in timers:
            del self.timers[timer.timer_id]
        return self.apply(timers, at(seconds)) if timers else []

    def apply(self, incoming: Sequence[Incoming], now: datetime) -> list[Event]:
        """Load, decide, write; return what was published."""
        state = self._load(incoming)
        effects: Effects = self.processor.decide(incoming, state, now)
        self._write(effects)
        events = [publish.event for publish in effects.publishes]
        self.published += events
        return events

    def all(self, collection: str) -> list[Document]:
        """Return every document of a collection."""
        return list(self.documents.get(collection, {}).values())

    def one(self, collection: str, document_id: str) -> Document:
        """Return a document."""
        return self.documents[collection][document_id]

    def offers(self, agent_id: str | None = None) -> list[Document]:
        """Return the offers that wait for an answer."""
        return [
            one
            for one in self.all(ASSIGNMENTS)
            if one["state"] == "offered" and agent_id in (None, one["agent_id"])
        ]

    def _load(self, incoming: Sequence[Incoming]) -> State:
        state, asked = State(), set()
        self.finds = []
        for _ in range(8):
            fresh = [f for f in self.processor.needs(incoming, state) if f.key() not in asked]
            if not fresh:
                return state
            for find in fresh:
                asked.add(find.key())
                self.finds.append(find)
                state.add(find.collection, self._find(find))
        raise AssertionError("needs() never ends")

    def _find(self, find: Find) -> list[Document]:
        found = [
            document
            for document in self.all(find.collection)
            if (not find.ids or document["_id"] in find.ids) and matches(document, dict(find.where))
        ]
        for name, direction in reversed(find.sort):
            found.sort(key=lambda document: document[name], reverse=direction < 0)
        return found[: find.limit] if find.limit else found

    def _write(self, effects: Effects) -> None:
        # as the stream layer: inserts, then guarded updates, then saves, in the order given
        kinds = (Insert, Guarded, (Save, Delete))
        for kind in kinds:
            for write in effects.writes:
                if isinstance(write, kind):
                    self._write_one(write)
        for change in effects.timers:
            if isinstance(change, CancelTimer):
                self.timers.pop(change.timer_id, None)
            else:
                self.timers[change.timer_id] = change

    def _write_one(self, write: Any) -> None:
        documents = self.documents.setdefault(write.collection, {})
        if isinstance(write, Insert):
            documents.setdefault(write.document["_id"], write.document)
        elif isinstance(write, Save):
            documents[write.document["_id"]] = write.document
        elif isinstance(write, Guarded):
            found = [one for one in documents.values() if matches(one, write.where)]
            if len(found) != 1:
                raise GuardRefused(write.where)
            changed = found[0] | write.update.get("$set", {})
            for name, amount in write.update.get("$inc", {}).items():
                changed[name] += amount
            documents[changed["_id"]] = changed
        if write.collection == ASSIGNMENTS:
            self._check_unique()

    def _check_unique(self) -> None:
        active = [one["work_item_id"] for one in self.all(ASSIGNMENTS) if one["active"]]
        if len(active) != len(set(active)):
            raise GuardRefused("two active assignments of one work item")


def matches(document: Document, where: Document) -> bool:
    """Return whether a document matches the few kinds of filter that routing uses."""
    return all(
        _within(document, condition)
        if name == "$expr"
        else _fits(_values(document, name), condition)
        for name, condition in where.items()
    )


def _values(document: Document, name: str) -> Any:
    first, _, rest = name.partition(".")
    if not rest:
        return document[first]
    return [_values(part, rest) for part in document[first]]


def _fits(value: Any, condition: Any) -> bool:
    if not isinstance(condition, dict):
        return bool(value == condition)
    ((operator, operand),) = condition.items()
    values = value if isinstance(value, list) else [value]
    if operator == "$in":
        return any(one in operand for one in values)
    if operator == "$nin":
        return all(one not in operand for one in values)
    if operator == "$lte":
        return bool(value <= operand)
    if operator == "$not":
        return not _fits(value, operand)
    assert operator == "$elemMatch"
    return any(_fits(one, operand) for one in values)


def _within(document: Document, condition: Any) -> bool:
    (field, amount), limit = condition["$lte"][0]["$add"], condition["$lte"][1]
    return bool(document[field.removeprefix("$")] + amount <= limit)


def matcher_world(**offers: Any) -> World:
    """Return a world with a matcher in it."""
    return World(Matcher(policy(**offers), "test"))


def units_held(world: World, agent_id: str) -> int:
    """Return the capacity an agent holds by its own document."""
    held: int = world.one(AGENTS, agent_id)["units_held"]
    return held
