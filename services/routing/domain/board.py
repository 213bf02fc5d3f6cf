"""The board: one pool's agents and its waiting line, matched from both sides.

At rest no waiting work item has a fitting agent with free capacity who has not refused it. What
changes keeps it so from both sides: an item that begins to wait looks for an agent (`place`), an
agent who gets free looks down the line (`fill`). So neither side is ever searched as a whole
again, and the board needs only the part of the line that its freed agents could take.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from services.routing.domain.model import (
    AVAILABLE,
    OFFERED,
    WAITING,
    Agent,
    Answered,
    Decision,
    Hold,
    Offer,
    Offered,
    Queued,
    WorkItem,
)
from services.routing.domain.offer import choose, exclusion, make_offer
from services.routing.domain.policy import RoutingPolicy


class Board:
    """A working set of one pool, changed by the functions in `facts`.

    `decisions` collects what is to be told; `changed_*` name what is to be written; `reserved`
    has the capacity that each agent's last new offer was measured against.
    """

    def __init__(self, pool: str, policy: RoutingPolicy) -> None:
        self.pool = pool
        self.policy = policy
        self.agents: dict[str, Agent] = {}
        self.items: dict[str, WorkItem] = {}
        self.offers: dict[str, Offer] = {}
        self.decisions: list[Decision] = []
        self.changed_agents: set[str] = set()
        self.changed_items: set[str] = set()
        self.changed_offers: dict[str, None] = {}
        self.reserved: dict[str, int] = {}
        self._line: list[tuple[int, str]] = []
        self._open: set[str] = set()  # available agents with free capacity
        self._skilled: dict[frozenset[str], list[str]] = {}

    def load(
        self, agents: Iterable[Agent], items: Iterable[WorkItem], offers: Iterable[Offer]
    ) -> None:
        """Put in what is known, unchanged."""
        for agent in agents:
            self.agents[agent.agent_id] = agent
            self._track(agent)
        self.items.update((item.work_item_id, item) for item in items)
        self._line = sorted(
            (item.rank, item.work_item_id) for item in self.items.values() if item.state == WAITING
        )
        self.offers.update((offer.offer_id, offer) for offer in offers)

    @property
    def open_agents(self) -> list[Agent]:
        """Return the available agents with free capacity."""
        return [self.agents[agent_id] for agent_id in sorted(self._open)]

    def close(self, offer: Offer, state: str, at: datetime) -> WorkItem:
        """End an offer that was never accepted; return its work item, still to be queued again."""
        item = self.items[offer.work_item_id]
        self.decisions.append(Answered(item, self.end(offer, state, at), at))
        return item

    def end(self, offer: Offer, state: str, at: datetime) -> Offer:
        """Give back the capacity an offer or assignment held."""
        ended = replace(offer, state=state, ended_at=at)
        self.put_offer(ended)
        agent = self.agents[offer.agent_id]
        self.put_agent(
            replace(
                agent,
                held=tuple(hold for hold in agent.held if hold.offer_id != offer.offer_id),
                units_held=agent.units_held - offer.units,
                idle_since=max(agent.idle_since, at),
            )
        )
        return ended

    def requeue(
        self, item: WorkItem, reason: str, at: datetime, now: datetime, refused_by: str = ""
    ) -> None:
        """Let it wait again where its age puts it."""
        refusers = item.refused_by | {refused_by} if refused_by else item.refused_by
        item = replace(item, state=WAITING, offer_id=None, agent_id=None, refused_by=refusers)
        self.wait(item, reason, at)
        self.place(item, now)

    def wait(self, item: WorkItem, reason: str, at: datetime) -> None:
        """Put an item in the line, in the place its rank gives it."""
        self.put_item(item)
        insort(self._line, (item.rank, item.work_item_id))
        self.decisions.append(Queued(item, reason, at))

    # matching

    def place(self, item: WorkItem, now: datetime) -> bool:
        """Offer a waiting item to the fairest fitting agent; return whether there is one."""
        if not self._open:
            return False
        skilled = self._skilled_for(item.required_skills)
        if self._open.isdisjoint(skilled):
            return False
        chosen, excluded = choose(item, (self.agents[agent_id] for agent_id in skilled))
        if chosen is None:
            return False
        available = self._skilled_for(frozenset())
        without_skill = len(available) - len(skilled)
        if without_skill:
            excluded["skill"] = without_skill
        if len(available) < len(self.agents):
            excluded["away"] = len(self.agents) - len(available)
        self._reserve(item, chosen, excluded, now)
        return True

    def _reserve(
        self, item: WorkItem, agent: Agent, excluded: dict[str, int], now: datetime
    ) -> None:
        offer = make_offer(item, agent, now, self.policy.lease(item.queue))
        self.put_offer(offer)
        hold = Hold(offer.offer_id, item.work_item_id, offer.units)
        self.put_agent(
            replace(agent, held=(*agent.held, hold), units_held=agent.units_held + offer.units)
        )
        self.reserved[agent.agent_id] = agent.capacity_units
        del self._line[bisect_left(self._line, (item.rank, item.work_item_id))]
        item = replace(
            item,
            state=OFFERED,
            offer_id=offer.offer_id,
            agent_id=agent.agent_id,
            offers_made=item.offers_made + 1,
        )
        self.put_item(item)
        self.decisions.append(Offered(item, offer, len(self.agents), excluded))

    def fill(self, agent_id: str, now: datetime) -> None:
        """Go down the line from its head while this agent has free capacity."""
        place = 0
        while agent_id in self._open and place < len(self._line):
            item = self.items[self._line[place][1]]
            fits = exclusion(self.agents[agent_id], item) is None
            if not (fits and self.place(item, now)):
                place += 1

    def _skilled_for(self, required: frozenset[str]) -> list[str]:
        """Return the available agents who have these skills."""
        found = self._skilled.get(required)
        if found is None:
            found = self._skilled[required] = [
                agent.agent_id
                for agent in self.agents.values()
                if agent.status == AVAILABLE and required <= agent.skills
            ]
        return found

    # keeping track

    def put_agent(self, agent: Agent) -> None:
        """Keep a new state of an agent."""
        known = self.agents.get(agent.agent_id)
        if known is None or (known.status, known.skills) != (agent.status, agent.skills):
            self._skilled.clear()
        self.agents[agent.agent_id] = agent
        self.changed_agents.add(agent.agent_id)
        self._track(agent)

    def _track(self, agent: Agent) -> None:
        if agent.status == AVAILABLE and agent.units_free > 0:
            self._open.add(agent.agent_id)
        else:
            self._open.discard(agent.agent_id)

    def put_item(self, item: WorkItem) -> None:
        """Keep a new state of a work item."""
        self.items[item.work_item_id] = item
        self.changed_items.add(item.work_item_id)

    def put_offer(self, offer: Offer) -> None:
        """Keep a new state of an offer."""
        self.offers[offer.offer_id] = offer
        self.changed_offers[offer.offer_id] = None
