"""What each fact does to the board: one function per fact, applied in order, twice is once.

A stamp orders what is declared about an agent, and an offer's own times decide its answers, so
neither a replay nor a late delivery changes what was decided.
"""

from dataclasses import replace
from datetime import datetime

from services.routing.domain import outcomes
from services.routing.domain.board import Board
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
    Offer,
    Outcome,
    SentAway,
    Stamp,
    WorkItem,
)


def submit(board: Board, item: WorkItem, now: datetime) -> None:
    """Take in a new work item; one already known changes nothing."""
    if item.work_item_id in board.items:
        return
    board.wait(item, "arrived", item.arrived_at)
    board.place(item, now)


def declare(board: Board, declared: AgentDeclaration, stamp: Stamp, now: datetime) -> Outcome:
    """Take in who an agent is, unless something newer is known."""
    known = board.agents.get(declared.agent_id)
    if known is None:
        board.put_agent(
            Agent(
                agent_id=declared.agent_id,
                name=declared.name,
                pool=board.pool,
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
        board.put_agent(
            replace(
                known,
                name=declared.name,
                skills=declared.skills,
                capacity_units=declared.capacity_units,
                declared=stamp,
            )
        )
        _apply_status(board, declared.agent_id, declared.status, stamp, now)
        _withdraw_excess(board, declared.agent_id, stamp[0], now)
    board.fill(declared.agent_id, now)
    return outcomes.DECLARED


def declare_status(
    board: Board, agent_id: str, status: str, stamp: Stamp, now: datetime
) -> Outcome:
    """Take in an agent's status, unless something newer is known."""
    known = board.agents.get(agent_id)
    if known is None:
        return outcomes.AGENT_UNKNOWN
    if stamp < known.status_declared:
        return outcomes.SUPERSEDED
    _apply_status(board, agent_id, status, stamp, now)
    board.fill(agent_id, now)
    return outcomes.STATUS_DECLARED


def answer(
    board: Board, offer_id: str, agent_id: str, answer: str, at: datetime, now: datetime
) -> Outcome:
    """Take in an agent's answer; whether it was in time is decided by its event time."""
    offer = board.offers.get(offer_id)
    if offer is None:
        return outcomes.OFFER_UNKNOWN
    if offer.agent_id != agent_id:
        return outcomes.OFFER_NOT_YOURS
    if offer.state == OFFERED and at > offer.expires_at:
        expire(board, offer_id, now)
        offer = board.offers[offer_id]
    if offer.state != OFFERED:
        return outcomes.repeated_answer(offer.state, answer)
    if answer == "accept":
        _accept(board, offer, at)
        return outcomes.ACCEPTED
    _decline(board, offer, at, now)
    return outcomes.DECLINED


def finish(board: Board, work_item_id: str, agent_id: str, at: datetime, now: datetime) -> Outcome:
    """Take in that an agent is done with an assigned work item."""
    item = board.items.get(work_item_id)
    if item is None:
        return outcomes.WORK_ITEM_UNKNOWN
    if item.agent_id != agent_id or item.offer_id is None:
        return outcomes.WORK_ITEM_NOT_YOURS
    if item.state == COMPLETED:
        return outcomes.COMPLETED
    if item.state != ASSIGNED:
        return outcomes.WORK_ITEM_NOT_ASSIGNED
    offer = board.offers[item.offer_id]
    began = offer.accepted_at or offer.made_at
    offer = board.end(offer, COMPLETED, max(at, began))
    done = replace(item, state=COMPLETED, completed_at=max(at, began))
    board.put_item(done)
    handled = max(0.0, (at - began).total_seconds())
    board.decisions.append(Completed(done, offer, handled, at))
    board.fill(agent_id, now)
    return outcomes.COMPLETED


def expire(board: Board, offer_id: str, now: datetime) -> None:
    """Take in that a lease ran out, at the time it was to; an ended offer changes nothing."""
    offer = board.offers.get(offer_id)
    if offer is None or offer.state != OFFERED:
        return
    at = offer.expires_at
    item = board.close(offer, EXPIRED, at)
    agent = board.agents[offer.agent_id]
    agent = replace(agent, expiries=agent.expiries + 1)
    if agent.expiries < board.policy.offers.away_after_expiries:
        board.put_agent(agent)
    else:
        board.put_agent(replace(agent, expiries=0))
        if agent.status == AVAILABLE and (at, offer_id) > agent.status_declared:
            board.decisions.append(SentAway(agent.agent_id, agent.pool))
        _apply_status(board, offer.agent_id, AWAY, (at, offer_id), now)
    board.requeue(item, EXPIRED, at, now, refused_by=offer.agent_id)
    board.fill(offer.agent_id, now)


def offer_again(board: Board, work_item_id: str, now: datetime) -> None:
    """Forget who refused a work item that still waits, so that it can never be stuck."""
    item = board.items.get(work_item_id)
    if item is None or item.state != WAITING or not item.refused_by:
        return
    item = replace(item, refused_by=frozenset())
    board.put_item(item)
    board.place(item, now)


def sweep(board: Board, now: datetime) -> None:
    """Look down the line for every agent with free capacity: finds what was missed."""
    for agent in board.open_agents:
        board.fill(agent.agent_id, now)


# transitions


def _accept(board: Board, offer: Offer, at: datetime) -> None:
    accepted = replace(offer, state=ACCEPTED, accepted_at=at)
    board.put_offer(accepted)
    agent = board.agents[offer.agent_id]
    held = tuple(
        replace(hold, accepted=True) if hold.offer_id == offer.offer_id else hold
        for hold in agent.held
    )
    board.put_agent(replace(agent, held=held, expiries=0))
    item = replace(board.items[offer.work_item_id], state=ASSIGNED)
    board.put_item(item)
    board.decisions.append(Answered(item, accepted, at))


def _decline(board: Board, offer: Offer, at: datetime, now: datetime) -> None:
    item = board.close(offer, DECLINED, at)
    board.put_agent(replace(board.agents[offer.agent_id], expiries=0))
    board.requeue(item, DECLINED, at, now, refused_by=offer.agent_id)
    board.fill(offer.agent_id, now)


def _apply_status(board: Board, agent_id: str, status: str, stamp: Stamp, now: datetime) -> None:
    agent = board.agents[agent_id]
    if stamp <= agent.status_declared:
        return
    back = status == AVAILABLE and agent.status != AVAILABLE
    board.put_agent(
        replace(
            agent,
            status=status,
            status_declared=stamp,
            idle_since=max(agent.idle_since, stamp[0]) if back else agent.idle_since,
            expiries=0,
        )
    )
    if status != AVAILABLE:
        _withdraw(board, _pending(board, agent_id), stamp[0], now)


def _withdraw_excess(board: Board, agent_id: str, at: datetime, now: datetime) -> None:
    """Take back the newest pending offers of an agent whose capacity was cut below them."""
    over = -board.agents[agent_id].units_free
    excess = []
    for offer in reversed(_pending(board, agent_id)):
        if over > 0:
            excess.append(offer)
            over -= offer.units
    _withdraw(board, excess, at, now)


def _withdraw(board: Board, offers: list[Offer], at: datetime, now: datetime) -> None:
    items = [board.close(offer, WITHDRAWN, at) for offer in offers]
    for item in sorted(items, key=lambda item: item.rank):
        board.requeue(item, WITHDRAWN, at, now)


def _pending(board: Board, agent_id: str) -> list[Offer]:
    held = board.agents[agent_id].held
    return [board.offers[hold.offer_id] for hold in held if not hold.accepted]
