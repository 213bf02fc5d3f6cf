"""What the matcher knows: work items, agents, offers; all frozen, changed by making new ones."""

from dataclasses import dataclass
from datetime import datetime

Stamp = tuple[datetime, str]
"""When something declared counts, and the id of the event that declared it: the greater wins."""

WAITING, OFFERED, ASSIGNED, COMPLETED = "waiting", "offered", "assigned", "completed"
ACCEPTED, DECLINED, EXPIRED, WITHDRAWN = "accepted", "declined", "expired", "withdrawn"
AVAILABLE, AWAY = "available", "away"
ACTIVE = (OFFERED, ACCEPTED)
"""The states of an offer in which it holds an agent's capacity."""


@dataclass(frozen=True, slots=True)
class About:
    """Whom a work item is about: the case's opening conversation, its channel and addresses."""

    conversation_id: str
    channel: str
    contact_points: tuple[str, ...]
    case_id: str | None = None
    case_reference: str | None = None


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A work item and where it stands.

    `rank` is fixed when it is submitted. `refused_by` are the agents who declined it or let it
    ring. `offers_made` numbers its offers, so that each has an id of its own. `offer_id` and
    `agent_id` are set while it is offered, assigned or completed.
    """

    work_item_id: str
    about: About
    pool: str
    queue: str
    required_skills: frozenset[str]
    capacity_units: int
    priority: int
    arrived_at: datetime
    rank: int
    state: str = WAITING
    offer_id: str | None = None
    agent_id: str | None = None
    offers_made: int = 0
    refused_by: frozenset[str] = frozenset()
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A part of an agent's capacity, held for an offer (`accepted` False) or an assignment."""

    offer_id: str
    work_item_id: str
    units: int
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as declared, and the capacity held.

    `declared` and `status_declared` order what was said about the agent; `expiries` counts offers
    left to ring in a row; `version` counts the writes of the document.
    """

    agent_id: str
    name: str
    pool: str
    skills: frozenset[str]
    capacity_units: int
    status: str
    declared: Stamp
    status_declared: Stamp
    idle_since: datetime
    held: tuple[Hold, ...] = ()
    units_held: int = 0
    expiries: int = 0
    version: int = 0

    @property
    def units_free(self) -> int:
        """Return the capacity that may still be offered; below zero after it was cut."""
        return self.capacity_units - self.units_held


@dataclass(frozen=True, slots=True)
class AgentDeclaration:
    """Who somebody says an agent is."""

    agent_id: str
    name: str
    pool: str
    skills: frozenset[str]
    capacity_units: int
    status: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A work item reserved for an agent until `expires_at`; an assignment once accepted."""

    offer_id: str
    work_item_id: str
    agent_id: str
    agent_name: str
    pool: str
    queue: str
    units: int
    made_at: datetime
    expires_at: datetime
    state: str = OFFERED
    accepted_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Return whether it holds capacity."""
        return self.state in ACTIVE


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a command: a stable code, a sentence, and what to do if it was refused."""

    ok: bool
    code: str
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """The work item waits; `reason` is `arrived`, `declined`, `expired` or `withdrawn`."""

    item: WorkItem
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Offered:
    """The work item was offered; `excluded` counts the pool's other agents by rule."""

    item: WorkItem
    offer: Offer
    considered: int
    excluded: dict[str, int]


@dataclass(frozen=True, slots=True)
class Answered:
    """An offer was accepted, declined, expired or withdrawn: `offer.state` says which."""

    item: WorkItem
    offer: Offer
    at: datetime


@dataclass(frozen=True, slots=True)
class Completed:
    """An agent completed a work item."""

    item: WorkItem
    offer: Offer
    handled_seconds: float
    at: datetime


@dataclass(frozen=True, slots=True)
class SentAway:
    """An agent became `away` because too many offers in a row expired."""

    agent_id: str
    pool: str


Decision = Queued | Offered | Answered | Completed | SentAway
