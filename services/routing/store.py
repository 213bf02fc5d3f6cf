"""What routing keeps in MongoDB: collections, indexes, documents to domain types and back.

Where each invariant of routing is enforced by the database itself, whatever the code above does:

* at most one active assignment per work item: the unique partial index on `assignments`;
* never over capacity: every change of an agent is one guarded update that names the version it
  was decided on and whose filter adds the new units to the ones held;
* capacity is held exactly while an offer or assignment is active: both are written in one
  transaction, and the guard refuses to hold the same work item twice.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.routing.domain.case import Case
from services.routing.domain.classify import Classification
from services.routing.domain.model import ACTIVE, About, Agent, Hold, Offer, Outcome, WorkItem
from shared.mongo import Collection, Index
from shared.streams import Document, Find

CASES = "cases"
WORK_ITEMS = "work_items"
AGENTS = "agents"
ASSIGNMENTS = "assignments"
OUTCOMES = "command_outcomes"

_OUTCOMES_KEPT = timedelta(hours=1)  # a caller gives up after minutes
_ASSIGNMENTS_KEPT = timedelta(days=28)  # as long as dead letters can bring an old answer back

COLLECTIONS = (
    Collection(
        CASES,
        (
            Index((("reference", 1),), unique=True),
            Index((("conversation_id", 1), ("serial", 1)), unique=True),
        ),
    ),
    Collection(
        WORK_ITEMS,
        (
            Index((("pool", 1), ("rank", 1), ("_id", 1)), where={"state": "waiting"}),
            Index((("queue", 1), ("arrived_at", 1)), where={"state": "waiting"}),
        ),
    ),
    Collection(AGENTS, (Index((("pool", 1),)),)),
    Collection(
        ASSIGNMENTS,
        (
            Index((("work_item_id", 1),), unique=True, where={"active": True}),
            Index((("agent_id", 1), ("made_at", 1)), where={"active": True}),
            Index((("ended_at", 1),), expire_after=_ASSIGNMENTS_KEPT),
        ),
    ),
    Collection(OUTCOMES, (Index((("at", 1),), expire_after=_OUTCOMES_KEPT),)),
)


def find_ids(collection: str, ids: Iterable[str]) -> list[Find]:
    """Return the query for these ids, or none if there are none."""
    wanted = frozenset(ids)
    return [Find(collection, ids=wanted)] if wanted else []


def find_cases(conversation_ids: Iterable[str]) -> list[Find]:
    """Return the query for all cases of these conversations."""
    wanted = sorted(set(conversation_ids))
    return [Find(CASES, where=(("conversation_id", {"$in": wanted}),))] if wanted else []


def find_references(references: Iterable[str]) -> list[Find]:
    """Return the query for the cases that have one of these references."""
    wanted = sorted(set(references))
    return [Find(CASES, where=(("reference", {"$in": wanted}),))] if wanted else []


def find_pool(pool: str) -> Find:
    """Return the query for all agents of a pool (hundreds, not more: one owner matches them)."""
    return Find(AGENTS, where=(("pool", pool),))


def find_waiting(pool: str, skills: frozenset[str], most_units: int, limit: int) -> Find:
    """Return the query for the head of the line that an agent with these skills could take."""
    return Find(
        WORK_ITEMS,
        where=(
            ("state", "waiting"),
            ("pool", pool),
            ("capacity_units", {"$lte": most_units}),
            ("required_skills", {"$not": {"$elemMatch": {"$nin": sorted(skills)}}}),
        ),
        sort=(("rank", 1), ("_id", 1)),
        limit=limit,
    )


def case_document(
    case: Case, channel: str, classified: Classification, work_item_id: str
) -> Document:
    """Return the document of a case; its channel is the one it was opened on."""
    return {
        "_id": case.case_id,
        "reference": case.reference,
        "conversation_id": case.conversation_id,
        "serial": case.serial,
        "opened_by": case.opened_by,
        "opened_at": case.opened_at,
        "completed_at": case.completed_at,
        "channel": channel,
        "queue": classified.queue,
        "pool": classified.pool,
        "work_item_id": work_item_id,
    }


def case_from(document: Document) -> Case:
    """Return the case of a document."""
    return Case(
        case_id=document["_id"],
        reference=document["reference"],
        conversation_id=document["conversation_id"],
        serial=document["serial"],
        opened_by=document["opened_by"],
        opened_at=document["opened_at"],
        completed_at=document.get("completed_at"),
    )


def work_item_document(item: WorkItem) -> Document:
    """Return the document of a work item."""
    about = item.about
    return {
        "_id": item.work_item_id,
        "about": {
            "conversation_id": about.conversation_id,
            "channel": about.channel,
            "contact_points": list(about.contact_points),
            "case_id": about.case_id,
            "case_reference": about.case_reference,
        },
        "pool": item.pool,
        "queue": item.queue,
        "required_skills": sorted(item.required_skills),
        "capacity_units": item.capacity_units,
        "priority": item.priority,
        "arrived_at": item.arrived_at,
        "rank": item.rank,
        "state": item.state,
        "offer_id": item.offer_id,
        "agent_id": item.agent_id,
        "offers_made": item.offers_made,
        "refused_by": sorted(item.refused_by),
        "completed_at": item.completed_at,
    }


def work_item_from(document: Document) -> WorkItem:
    """Return the work item of a document."""
    about = document["about"]
    return WorkItem(
        work_item_id=document["_id"],
        about=About(
            conversation_id=about["conversation_id"],
            channel=about["channel"],
            contact_points=tuple(about["contact_points"]),
            case_id=about.get("case_id"),
            case_reference=about.get("case_reference"),
        ),
        pool=document["pool"],
        queue=document["queue"],
        required_skills=frozenset(document["required_skills"]),
        capacity_units=document["capacity_units"],
        priority=document["priority"],
        arrived_at=document["arrived_at"],
        rank=document["rank"],
        state=document["state"],
        offer_id=document.get("offer_id"),
        agent_id=document.get("agent_id"),
        offers_made=document["offers_made"],
        refused_by=frozenset(document["refused_by"]),
        completed_at=document.get("completed_at"),
    )


def agent_document(agent: Agent) -> Document:
    """Return the document of an agent that is new."""
    return {"_id": agent.agent_id, "units_held": agent.units_held, "version": 1} | _declared(agent)


def agent_update(before: Agent, after: Agent, limit: int | None) -> tuple[Document, Document]:
    """Return the filter and the one update that takes an agent from one state to the next.

    `limit` is the capacity against which new offers were measured, None if there were none: then
    the units held, as the database adds them up, must not exceed it.
    """
    gained = after.units_held - before.units_held
    where: Document = {"_id": after.agent_id, "version": before.version}
    if limit is not None:
        where["$expr"] = {"$lte": [{"$add": ["$units_held", gained]}, limit]}
    had = {hold.work_item_id for hold in before.held}
    new = [hold.work_item_id for hold in after.held if hold.work_item_id not in had]
    if new:
        where["held.work_item_id"] = {"$nin": new}
    update = {"$set": _declared(after), "$inc": {"units_held": gained, "version": 1}}
    return where, update


def _declared(agent: Agent) -> Document:
    return {
        "name": agent.name,
        "pool": agent.pool,
        "skills": sorted(agent.skills),
        "capacity_units": agent.capacity_units,
        "status": agent.status,
        "declared_at": agent.declared[0],
        "declared_by": agent.declared[1],
        "status_at": agent.status_declared[0],
        "status_by": agent.status_declared[1],
        "idle_since": agent.idle_since,
        "expiries": agent.expiries,
        "held": [
            {
                "offer_id": hold.offer_id,
                "work_item_id": hold.work_item_id,
                "units": hold.units,
                "accepted": hold.accepted,
            }
            for hold in agent.held
        ],
    }


def agent_from(document: Document) -> Agent:
    """Return the agent of a document."""
    return Agent(
        agent_id=document["_id"],
        name=document["name"],
        pool=document["pool"],
        skills=frozenset(document["skills"]),
        capacity_units=document["capacity_units"],
        status=document["status"],
        declared=(document["declared_at"], document["declared_by"]),
        status_declared=(document["status_at"], document["status_by"]),
        idle_since=document["idle_since"],
        held=tuple(Hold(**hold) for hold in document["held"]),
        units_held=document["units_held"],
        expiries=document["expiries"],
        version=document["version"],
    )


def assignment_document(offer: Offer) -> Document:
    """Return the document of an offer or assignment; `active` while it holds capacity."""
    return {
        "_id": offer.offer_id,
        "work_item_id": offer.work_item_id,
        "agent_id": offer.agent_id,
        "agent_name": offer.agent_name,
        "pool": offer.pool,
        "queue": offer.queue,
        "units": offer.units,
        "made_at": offer.made_at,
        "expires_at": offer.expires_at,
        "state": offer.state,
        "active": offer.state in ACTIVE,
        "accepted_at": offer.accepted_at,
        "ended_at": offer.ended_at,
    }


def assignment_from(document: Document) -> Offer:
    """Return the offer or assignment of a document."""
    fields = {name: value for name, value in document.items() if name not in ("_id", "active")}
    return Offer(offer_id=document["_id"], **fields)


def outcome_document(command_id: str, outcome: Outcome, about: Document, at: datetime) -> Document:
    """Return the document of a command's outcome; `about` names what it was about."""
    return {
        "_id": command_id,
        "ok": outcome.ok,
        "code": outcome.code,
        "message": outcome.message,
        "fix": outcome.fix,
        "about": about,
        "at": at,
    }
