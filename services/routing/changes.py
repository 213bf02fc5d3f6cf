"""What changed on a board as writes: each document once, in an order no unique index minds."""

from datetime import datetime, timedelta

from services.routing import store
from services.routing.domain.board import Board
from services.routing.domain.model import OFFERED, WAITING, Offer
from services.routing.lookups import LEASE, OFFER_AGAIN
from shared.streams import Effects, Incoming, State

ANSWER_GRACE = timedelta(seconds=1)
"""How long after a lease its timer fires: an answer given in time may still be on its way (8 ms at
the 99th percentile, and a batch of 500 before it takes some 100 ms)."""


def write(effects: Effects, board: Board, state: State, now: datetime, because: Incoming) -> None:
    """Write the agents, work items and offers that changed, and set their timers."""
    _write_agents(effects, board, state)
    _write_items(effects, board, state, now, because)
    _write_offers(effects, board, state, because)


def _write_agents(effects: Effects, board: Board, state: State) -> None:
    for agent_id in sorted(board.changed_agents):
        after = board.agents[agent_id]
        document = state.get(store.AGENTS, agent_id)
        if document is None:
            effects.insert(store.AGENTS, store.agent_document(after))
            continue
        before = store.agent_from(document)
        where, update = store.agent_update(before, after, board.reserved.get(agent_id))
        effects.guarded(store.AGENTS, where, update)


def _write_items(
    effects: Effects, board: Board, state: State, now: datetime, because: Incoming
) -> None:
    for item_id in sorted(board.changed_items):
        item = board.items[item_id]
        document = store.work_item_document(item)
        if state.get(store.WORK_ITEMS, item_id) is None:
            effects.insert(store.WORK_ITEMS, document)
        else:
            effects.save(store.WORK_ITEMS, document)
        if item.state == WAITING and item.refused_by:
            data = {"pool": board.pool, "work_item_id": item_id}
            due_at = now + board.policy.retry_after
            effects.set_timer(f"again:{item_id}", OFFER_AGAIN, due_at, data, because)


def _write_offers(effects: Effects, board: Board, state: State, because: Incoming) -> None:
    """Write the ended before their successors: the unique index allows one active at a time.

    Saves keep the order given; inserts go before all saves, so a successor is never inserted.
    """
    offers = [board.offers[offer_id] for offer_id in board.changed_offers]
    known = {one["_id"] for one in state.all(store.ASSIGNMENTS)}
    succeeded = {offer.work_item_id for offer in offers if offer.offer_id in known}
    for offer in sorted(offers, key=lambda offer: offer.active):
        document = store.assignment_document(offer)
        if offer.work_item_id in succeeded:
            effects.save(store.ASSIGNMENTS, document)
        else:
            effects.insert(store.ASSIGNMENTS, document)
        if offer.state == OFFERED:
            _set_lease(effects, offer, because)
        elif offer.offer_id in known:
            effects.cancel_timer(lease_id(offer.offer_id))


def _set_lease(effects: Effects, offer: Offer, because: Incoming) -> None:
    data = {
        "pool": offer.pool,
        "offer_id": offer.offer_id,
        "work_item_id": offer.work_item_id,
        "agent_id": offer.agent_id,
    }
    due_at = offer.expires_at + ANSWER_GRACE
    effects.set_timer(lease_id(offer.offer_id), LEASE, due_at, data, because)


def lease_id(offer_id: str) -> str:
    """Return the id of the timer that ends an offer."""
    return f"lease:{offer_id}"
