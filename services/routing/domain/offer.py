"""Who may be offered a work item, and who is: the rules of exclusion and of fairness."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.routing.domain.model import AVAILABLE, Agent, Offer, WorkItem
from shared.ids import derived_id


def exclusion(agent: Agent, item: WorkItem) -> str | None:
    """Return the rule that keeps the agent from this work item, or None if none does.

    The rules in order: `away`, `skill`, `capacity`, `refused` (declined it or let it ring).
    """
    if agent.status != AVAILABLE:
        return "away"
    if not item.required_skills <= agent.skills:
        return "skill"
    if agent.units_free < item.capacity_units:
        return "capacity"
    if agent.agent_id in item.refused_by:
        return "refused"
    return None


def fairness(agent: Agent) -> tuple[float, datetime, str]:
    """Return the order among equals: most free share of capacity, longest idle, agent id."""
    return (agent.units_held / agent.capacity_units, agent.idle_since, agent.agent_id)


def choose(item: WorkItem, agents: Iterable[Agent]) -> tuple[Agent | None, dict[str, int]]:
    """Return the agent to offer it to, if there is one, and the others left out, by rule."""
    chosen: Agent | None = None
    excluded: dict[str, int] = {}
    for agent in agents:
        rule = exclusion(agent, item)
        if rule is not None:
            excluded[rule] = excluded.get(rule, 0) + 1
        elif chosen is None or fairness(agent) < fairness(chosen):
            chosen = agent
    return chosen, excluded


def make_offer(item: WorkItem, agent: Agent, now: datetime, lease: timedelta) -> Offer:
    """Return the offer of this work item to this agent; its id is new for each offer made."""
    return Offer(
        offer_id=derived_id("offer", item.work_item_id, str(item.offers_made + 1)),
        work_item_id=item.work_item_id,
        agent_id=agent.agent_id,
        agent_name=agent.name,
        pool=item.pool,
        queue=item.queue,
        units=item.capacity_units,
        made_at=now,
        expires_at=now + lease,
    )
