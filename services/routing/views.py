"""What the API takes and shows: one model for each body."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.streams import Document

AgentId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Status = Literal["available", "away"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class AgentBody(_Body):
    """Who an agent is; the whole of it replaces what was declared before."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    pool: Word
    skills: Annotated[list[Word], Field(max_length=200)] = []
    capacity_units: Annotated[int, Field(ge=1, le=10_000)]
    status: Status = "available"


class StatusBody(_Body):
    """Whether work may be offered to the agent."""

    status: Status


class ByAgentBody(_Body):
    """Which agent does it."""

    agent_id: AgentId


class CommandView(BaseModel):
    """A command: `done`, with its outcome, or `pending`, to be looked up again."""

    command_id: str
    state: Literal["done", "refused", "pending"]
    code: str | None = None
    message: str | None = None
    fix: str | None = None
    about: dict[str, str | None] = {}


class HeldView(BaseModel):
    """A part of an agent's capacity in use: offered, or accepted."""

    offer_id: str
    work_item_id: str
    units: int
    accepted: bool


class AgentView(BaseModel):
    """An agent: as declared, and what is held."""

    agent_id: str
    name: str
    pool: str
    skills: list[str]
    capacity_units: int
    units_held: int
    status: str
    status_at: datetime
    idle_since: datetime
    held: list[HeldView]


class OfferView(BaseModel):
    """An offer that stands, and what it is about."""

    offer_id: str
    work_item_id: str
    agent_id: str
    queue: str
    pool: str
    units: int
    made_at: datetime
    expires_at: datetime
    channel: str | None = None
    conversation_id: str | None = None
    case_reference: str | None = None
    arrived_at: datetime | None = None


class WorkItemView(BaseModel):
    """A work item and where it stands: `waiting`, `offered`, `assigned` or `completed`."""

    work_item_id: str
    state: str
    pool: str
    queue: str
    required_skills: list[str]
    capacity_units: int
    priority: int
    arrived_at: datetime
    channel: str
    conversation_id: str
    case_reference: str | None
    agent_id: str | None
    offer_id: str | None
    offers_made: int
    completed_at: datetime | None


class CaseView(BaseModel):
    """A case and its work."""

    case_id: str
    reference: str
    conversation_id: str
    channel: str
    queue: str
    opened_at: datetime
    completed_at: datetime | None
    work_items: list[WorkItemView]


class QueueView(BaseModel):
    """A waiting line: how many wait, and for how long the oldest has."""

    queue: str
    pool: str
    waiting: int
    oldest_age_seconds: float | None


class AgentsView(BaseModel):
    """Agents."""

    agents: list[AgentView]


class OffersView(BaseModel):
    """Offers that stand, the oldest first."""

    offers: list[OfferView]


class QueuesView(BaseModel):
    """All queues of the policy."""

    queues: list[QueueView]


def agent_view(document: Document) -> AgentView:
    """Return an agent's document as it is shown."""
    return AgentView(agent_id=document["_id"], **_without_id(document))


def offer_view(document: Document, item: Document | None) -> OfferView:
    """Return an offer's document as it is shown, with its work item's if that is known."""
    offer = OfferView(offer_id=document["_id"], **_without_id(document))
    if item is None:
        return offer
    about = item["about"]
    return offer.model_copy(
        update={
            "channel": about["channel"],
            "conversation_id": about["conversation_id"],
            "case_reference": about["case_reference"],
            "arrived_at": item["arrived_at"],
        }
    )


def work_item_view(document: Document) -> WorkItemView:
    """Return a work item's document as it is shown."""
    return WorkItemView(work_item_id=document["_id"], **document["about"], **_without_id(document))


def case_view(document: Document, items: list[Document]) -> CaseView:
    """Return a case's document as it is shown."""
    return CaseView(
        case_id=document["_id"],
        work_items=[work_item_view(item) for item in items],
        **_without_id(document),
    )


def command_view(command_id: str, outcome: Document | None) -> CommandView:
    """Return a command's outcome as it is shown."""
    if outcome is None:
        return CommandView(command_id=command_id, state="pending")
    return CommandView(
        command_id=command_id,
        state="done" if outcome["ok"] else "refused",
        code=outcome["code"],
        message=outcome["message"],
        fix=outcome["fix"] or None,
        about=outcome["about"],
    )


def _without_id(document: Document) -> Document:
    return {name: value for name, value in document.items() if name not in ("_id", "about")}
