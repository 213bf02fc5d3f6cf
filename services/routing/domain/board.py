"""The board: one pool's agents and waiting work items, and what follows from each fact.

At rest no waiting work item has a fitting agent with free capacity who has not refused it. Facts
keep it so from both sides: an item that begins to wait looks for an agent (`_place`), an agent who
gets free looks down the line (`_fill`). So neither side is ever searched as a whole again, and the
board needs only that part of the line that its freed agents could take.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from services.routing.domain import outcomes
from services.routing.domain.model import (
    ACCEPTED,
    ASSIGNED,
    AVAILABLE,
    AWAY,
    COMPLETED,
    DECLINED,
    EXPIRED,
    OFFERED,
    WAITING,
    WITHDRAWN,
    Agent,
    AgentDeclaration,
    Answered,
    Completed,
    Decision,
    Hold,
    Offer,
    Offered,
    Outcome,
    Queued,
    Stamp,
    WorkItem,
)
from services.routing.domain.offer import choose, exclusion, make_offer
from services.routing.domain.policy import RoutingPolicy


class Board:
    """A working set of one pool; every fact goes through one public method, in order.

    `decisions` collects what is to be told; `changed_*` name what is to be written; `reserved`
    has the capacity that each agent's last new offer was measured against.
    """

    def __init__(self, pool: str, policy: RoutingPolicy) -> None:
        self.pool = pool
        self.agents: dict[str, Agent] = {}
        self.items: dict[str, WorkItem] = {}
        self.offers: dict[str, Offer] = {}
        self.decisions: list[Decision] = []
        self.changed_agents: set[str] = set()
        self.changed_items: set[str] = set()
        self.changed_offers: dict[str, None] = {}
        self.reserved: dict[str, int] = {}
        self._policy = policy
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

    # facts

    def submit(self, item: WorkItem, now: datetime) -> None:
        """Take in a new work item; one already known changes nothing."""
        if item.work_item_id in self.items:
            return
        self._wait(item, "arrived", item.arrived_at)
        self._place(item, now)

    def declare(self, declared: AgentDeclaration, stamp: Stamp, now: datetime) -> Outcome:
        """Take in who an agent is, unless something newer is known."""
        known = self.agents.get(declared.agent_id)
        if known is None:
            self._put(
                Agent(
                    agent_id=declared.agent_id,
                    name=declared.name,
                    pool=self.pool,
                    skills=declared.skills,
                    capacity_units=declared.capacity_units,
                    status=declared.status,
                    declared=stamp,
                    status_declared=stamp,
                    idle_since=stamp[0],
                )
            )
        elif stamp <= known.declared:
            return outcomes.DECLARED if stamp == known.declared else outcomes.SUPERSEDED
        else:
            self._skilled.clear()
            self._put(
                replace(
                    known,
                    name=declared.name,
                    skills=declared.skills,
                    capacity_units=declared.capacity_units,
                    declared=stamp,
                )
            )
            self._apply_status(declared.agent_id, declared.status, stamp, now)
            self._withdraw_excess(declared.agent_id, stamp[0], now)
        self._fill(declared.agent_id, now)
        return outcomes.DECLARED

    def declare_status(self, agent_id: str, status: str, stamp: Stamp, now: datetime) -> Outcome:
        """Take in an agent's status, unless something newer is known."""
        known = self.agents.get(agent_id)
        if known is None:
            return outcomes.AGENT_UNKNOWN
        if stamp < known.status_declared:
            return outcomes.SUPERSEDED
        self._apply_status(agent_id, status, stamp, now)
        self._fill(agent_id, now)
        return outcomes.STATUS_DECLARED

    def answer(
        self, offer_id: str, agent_id: str, answer: str, at: datetime, now: datetime
    ) -> Outcome:
        """Take in an agent's answer; whether it was in time is decided by its event time."""
        offer = self.offers.get(offer_id)
        if offer is None:
            return outcomes.OFFER_UNKNOWN
        if offer.agent_id != agent_id:
            return outcomes.OFFER_NOT_YOURS
        if offer.state == OFFERED and at > offer.expires_at:
            self.expire(offer_id, now)
            offer = self.offers[offer_id]
        if offer.state != OFFERED:
            return outcomes.repeated_answer(offer.state, answer)
        if answer == "accept":
            self._accept(offer, at)
            return outcomes.ACCEPTED
        self._decline(offer, at, now)
        return outcomes.DECLINED

    def finish(self, work_item_id: str, agent_id: str, at: datetime, now: datetime) -> Outcome:
        """Take in that an agent is done with an assigned work item."""
        item = self.items.get(work_item_id)
        if item is None:
            return outcomes.WORK_ITEM_UNKNOWN
        if item.agent_id != agent_id or item.offer_id is None:
            return outcomes.WORK_ITEM_NOT_YOURS
        if item.state == COMPLETED:
            return outcomes.COMPLETED
        if item.state != ASSIGNED:
            return outcomes.WORK_ITEM_NOT_ASSIGNED
        offer = self.offers[item.offer_id]
        began = offer.accepted_at or offer.made_at
        offer = self._end(offer, COMPLETED, max(at, began))
        done = replace(item, state=COMPLETED, completed_at=max(at, began))
        self._put_item(done)
        handled = max(0.0, (at - began).total_seconds())
        self.decisions.append(Completed(done, offer, handled, at))
        self._fill(agent_id, now)
        return outcomes.COMPLETED

    def expire(self, offer_id: str, now: datetime) -> None:
        """Take in that a lease ran out, at the time it was to; an ended offer changes nothing."""
        offer = self.offers.get(offer_id)
        if offer is None or offer.state != OFFERED:
            return
        at = offer.expires_at
        item = self._close(offer, EXPIRED, at)
        agent = self.agents[offer.agent_id]
        agent = replace(agent, expiries=agent.expiries + 1)
        if agent.expiries < self._policy.offers.away_after_expiries:
            self._put(agent)
        else:
            self._put(replace(agent, expiries=0))
            self._apply_status(
                offer.agent_id, AWAY, max(agent.status_declared, (at, offer_id)), now
            )
        self._requeue(item, EXPIRED, at, now, refused_by=offer.agent_id)
        self._fill(offer.agent_id, now)

    def offer_again(self, work_item_id: str, now: datetime) -> None:
        """Forget who refused a work item that still waits, so that it can never be stuck."""
        item = self.items.get(work_item_id)
        if item is None or item.state != WAITING or not item.refused_by:
            return
        item = replace(item, refused_by=frozenset())
        self._put_item(item)
        self._place(item, now)

    def sweep(self, now: datetime) -> None:
        """Look down the line for every agent with free capacity: finds what was missed."""
        for agent in self.open_agents:
            self._fill(agent.agent_id, now)

    # transitions

    def _accept(self, offer: Offer, at: datetime) -> None:
        accepted = replace(offer, state=ACCEPTED, accepted_at=at)
        self._put_offer(accepted)
        agent = self.agents[offer.agent_id]
        held = tuple(
            replace(hold, accepted=True) if hold.offer_id == offer.offer_id else hold
            for hold in agent.held
        )
        self._put(replace(agent, held=held, expiries=0))
        item = replace(self.items[offer.work_item_id], state=ASSIGNED)
        self._put_item(item)
        self.decisions.append(Answered(item, accepted, at))

    def _decline(self, offer: Offer, at: datetime, now: datetime) -> None:
        item = self._close(offer, DECLINED, at)
        self._put(replace(self.agents[offer.agent_id], expiries=0))
        self._requeue(item, DECLINED, at, now, refused_by=offer.agent_id)
        self._fill(offer.agent_id, now)

    def _apply_status(self, agent_id: str, status: str, stamp: Stamp, now: datetime) -> None:
        agent = self.agents[agent_id]
        if stamp < agent.status_declared or (stamp, status) == (
            agent.status_declared,
            agent.status,
        ):
            return
        back = status == AVAILABLE and agent.status != AVAILABLE
        self._skilled.clear()
        self._put(
            replace(
                agent,
                status=status,
                status_declared=stamp,
                idle_since=max(agent.idle_since, stamp[0]) if back else agent.idle_since,
                expiries=0,
            )
        )
        if status != AVAILABLE:
            self._withdraw(self._pending(agent_id), stamp[0], now)

    def _withdraw_excess(self, agent_id: str, at: datetime, now: datetime) -> None:
        """Take back the newest pending offers of an agent whose capacity was cut below them."""
        over = -self.agents[agent_id].units_free
        excess = []
        for offer in reversed(self._pending(agent_id)):
            if over > 0:
                excess.append(offer)
                over -= offer.units
        self._withdraw(excess, at, now)

    def _withdraw(self, offers: list[Offer], at: datetime, now: datetime) -> None:
        items = [self._close(offer, WITHDRAWN, at) for offer in offers]
        for item in sorted(items, key=lambda item: item.rank):
            self._requeue(item, WITHDRAWN, at, now)

    def _pending(self, agent_id: str) -> list[Offer]:
        held = self.agents[agent_id].held
        return [self.offers[hold.offer_id] for hold in held if not hold.accepted]

    def _close(self, offer: Offer, state: str, at: datetime) -> WorkItem:
        item = self.items[offer.work_item_id]
        self.decisions.append(Answered(item, self._end(offer, state, at), at))
        return item

    def _end(self, offer: Offer, state: str, at: datetime) -> Offer:
        """Give back the capacity an offer or assignment held."""
        ended = replace(offer, state=state, ended_at=at)
        self._put_offer(ended)
        agent = self.agents[offer.agent_id]
        self._put(
            replace(
                agent,
                held=tuple(hold for hold in agent.held if hold.offer_id != offer.offer_id),
                units_held=agent.units_held - offer.units,
                idle_since=max(agent.idle_since, at),
            )
        )
        return ended

    def _requeue(
        self, item: WorkItem, reason: str, at: datetime, now: datetime, refused_by: str = ""
    ) -> None:
        """Let it wait again where its age puts it."""
        refusers = item.refused_by | {refused_by} if refused_by else item.refused_by
        item = replace(item, state=WAITING, offer_id=None, agent_id=None, refused_by=refusers)
        self._wait(item, reason, at)
        self._place(item, now)

    def _wait(self, item: WorkItem, reason: str, at: datetime) -> None:
        self._put_item(item)
        insort(self._line, (item.rank, item.work_item_id))
        self.decisions.append(Queued(item, reason, at))

    # matching

    def _place(self, item: WorkItem, now: datetime) -> bool:
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
        offer = make_offer(item, agent, now, self._policy.lease(item.queue))
        self._put_offer(offer)
        hold = Hold(offer.offer_id, item.work_item_id, offer.units)
        self._put(
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
        self._put_item(item)
        self.decisions.append(Offered(item, offer, len(self.agents), excluded))

    def _fill(self, agent_id: str, now: datetime) -> None:
        """Go down the line from its head while this agent has free capacity."""
        place = 0
        while agent_id in self._open and place < len(self._line):
            item = self.items[self._line[place][1]]
            fits = exclusion(self.agents[agent_id], item) is None
            if not (fits and self._place(item, now)):
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

    def _put(self, agent: Agent) -> None:
        if agent.agent_id not in self.agents:
            self._skilled.clear()
        self.agents[agent.agent_id] = agent
        self.changed_agents.add(agent.agent_id)
        self._track(agent)

    def _track(self, agent: Agent) -> None:
        if agent.status == AVAILABLE and agent.units_free > 0:
            self._open.add(agent.agent_id)
        else:
            self._open.discard(agent.agent_id)

    def _put_item(self, item: WorkItem) -> None:
        self.items[item.work_item_id] = item
        self.changed_items.add(item.work_item_id)

    def _put_offer(self, offer: Offer) -> None:
        self.offers[offer.offer_id] = offer
        self.changed_offers[offer.offer_id] = None
