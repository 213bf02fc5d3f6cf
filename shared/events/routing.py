"""Routing commands (what somebody asked of the matcher) and routing events (what was decided).

Commands are keyed by pool, so that one owner matches a pool; events by the conversation that
opened the case.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.envelope import About, Event, Id, Moment, Record, Word

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Units = Annotated[int, Field(ge=1, le=10_000)]


class WorkItemSubmittedData(Record):
    """A work item and what it needs: `arrived_at` is the start of its age, kept for ever.

    `capacity_units` is how much of an agent's capacity it takes while offered or assigned.
    `policy_version` is the content hash of the `routing.yaml` that classified it.
    """

    work_item_id: Id
    about: About
    pool: Word
    queue: Word
    required_skills: tuple[Word, ...] = ()
    capacity_units: Units = 1
    priority: int = 0
    arrived_at: Moment
    policy_version: str


class WorkItemSubmitted(Event):
    """Intake asked the matcher to place a work item."""

    type: Literal["throughline.work-item.submitted.v1"] = "throughline.work-item.submitted.v1"
    data: WorkItemSubmittedData


class AgentDeclaredData(Record):
    """Who an agent is: skills, and capacity in units. `status` is `available` or `away`."""

    agent_id: Id
    name: Name
    pool: Word
    skills: tuple[Word, ...] = ()
    capacity_units: Units
    status: Word


class AgentDeclared(Event):
    """Somebody declared an agent, or changed what was declared."""

    type: Literal["throughline.agent.declared.v1"] = "throughline.agent.declared.v1"
    data: AgentDeclaredData


class AgentStatusDeclaredData(Record):
    """The status an agent declares: `available` or `away`."""

    agent_id: Id
    pool: Word
    status: Word


class AgentStatusDeclared(Event):
    """An agent said whether work may be offered."""

    type: Literal["throughline.agent.status-declared.v1"] = "throughline.agent.status-declared.v1"
    data: AgentStatusDeclaredData


class OfferAnsweredData(Record):
    """What an agent said to an offer."""

    offer_id: Id
    agent_id: Id
    pool: Word
    answer: Literal["accept", "decline"]


class OfferAnswered(Event):
    """An agent answered an offer; whether it still stood is the matcher's to decide."""

    type: Literal["throughline.offer.answered.v1"] = "throughline.offer.answered.v1"
    data: OfferAnsweredData


class WorkItemFinishedData(Record):
    """Which agent finished which work item."""

    work_item_id: Id
    agent_id: Id
    pool: Word


class WorkItemFinished(Event):
    """An agent said that a work item is done."""

    type: Literal["throughline.work-item.finished.v1"] = "throughline.work-item.finished.v1"
    data: WorkItemFinishedData


class CaseOpenedData(Record):
    """The case a conversation opened, and the queue it went to."""

    about: About
    queue: Word
    required_skills: tuple[Word, ...] = ()
    policy_version: str


class CaseOpened(Event):
    """A conversation became a case with a reference the customer can quote."""

    type: Literal["throughline.case.opened.v1"] = "throughline.case.opened.v1"
    data: CaseOpenedData


class WorkItemData(Record):
    """A work item in its queue."""

    about: About
    work_item_id: Id
    pool: Word
    queue: Word


class WorkItemQueuedData(WorkItemData):
    """A work item that waits, its age kept.

    `reason` is `arrived`, `declined`, `expired` or `withdrawn`.
    """

    arrived_at: Moment
    reason: Word = "arrived"


class WorkItemQueued(Event):
    """A work item waits for an agent."""

    type: Literal["throughline.work-item.queued.v1"] = "throughline.work-item.queued.v1"
    data: WorkItemQueuedData


class OfferData(WorkItemData):
    """A work item reserved for one agent."""

    offer_id: Id
    agent_id: Id
    agent_name: Name


class OfferMadeData(OfferData):
    """The lease, and how many agents were considered and why others were left out.

    `excluded` counts agents by the rule that excluded them, such as `away` or `skill`.
    """

    expires_at: Moment
    considered: int
    excluded: dict[str, int] = Field(default_factory=dict)
    policy_version: str


class OfferMade(Event):
    """A work item was reserved for an agent under a lease."""

    type: Literal["throughline.offer.made.v1"] = "throughline.offer.made.v1"
    data: OfferMadeData


class OfferAccepted(Event):
    """The agent took it: the work item is assigned."""

    type: Literal["throughline.offer.accepted.v1"] = "throughline.offer.accepted.v1"
    data: OfferData


class OfferDeclined(Event):
    """The agent refused; the work item waits again, age kept."""

    type: Literal["throughline.offer.declined.v1"] = "throughline.offer.declined.v1"
    data: OfferData


class OfferExpired(Event):
    """The lease ran out unanswered; the work item waits again, age kept."""

    type: Literal["throughline.offer.expired.v1"] = "throughline.offer.expired.v1"
    data: OfferData


class OfferWithdrawn(Event):
    """The agent went away or has less capacity now; the work item waits again, age kept."""

    type: Literal["throughline.offer.withdrawn.v1"] = "throughline.offer.withdrawn.v1"
    data: OfferData


class WorkItemCompletedData(WorkItemData):
    """Who completed it, and how long from acceptance to completion."""

    agent_id: Id
    agent_name: Name
    handled_seconds: float


class WorkItemCompleted(Event):
    """An agent completed the work item."""

    type: Literal["throughline.work-item.completed.v1"] = "throughline.work-item.completed.v1"
    data: WorkItemCompletedData


ROUTING_COMMANDS = (
    WorkItemSubmitted,
    AgentDeclared,
    AgentStatusDeclared,
    OfferAnswered,
    WorkItemFinished,
)
ROUTING_EVENTS = (
    CaseOpened,
    WorkItemQueued,
    OfferMade,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    WorkItemCompleted,
)
