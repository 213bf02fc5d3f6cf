"""What a batch of commands must know, so that nothing is loaded that cannot matter.

At rest no waiting work item fits an agent with free capacity (see `domain/board.py`). So a batch
needs the waiting line only for agents that may get free in it, and of the line only its head: as
many items as these agents could take. A batch that only submits work items reads no line at all,
however long it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from services.routing import store
from services.routing.domain.model import AVAILABLE
from shared.events import Event
from shared.events.routing import (
    AgentDeclared,
    AgentStatusDeclared,
    OfferAnswered,
    WorkItemFinished,
    WorkItemSubmitted,
)
from shared.streams import Document, Find, Incoming, State, TimerDue

LEASE, OFFER_AGAIN, SWEEP = "offer-lease", "offer-again", "pool-sweep"
"""The kinds of timers; each has its `pool` in its data."""

LINE_AT_LEAST = 20  # so that a few items refused by the freed agent do not hide the next one
LINE_AT_MOST = 500  # as many as a batch can hold; the sweep looks for the rest


@dataclass(slots=True)
class Named:
    """What the batch names: ids, and the agents who may get free, with what they may become."""

    pools: set[str] = field(default_factory=set)
    commands: set[str] = field(default_factory=set)
    work_items: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    offers: set[str] = field(default_factory=set)
    agents: set[str] = field(default_factory=set)
    declared: list[tuple[str, frozenset[str], int]] = field(default_factory=list)
    sweeps: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """The head of a pool's line, for agents with the same skills."""

    pool: str
    skills: frozenset[str]
    most_units: int
    limit: int

    def holds(self, item: Document) -> bool:
        """Return whether this query would find the work item."""
        return (
            item["state"] == "waiting"
            and item["pool"] == self.pool
            and item["capacity_units"] <= self.most_units
            and self.skills.issuperset(item["required_skills"])
        )


def matcher_needs(incoming: Sequence[Incoming], state: State) -> Iterator[Find]:
    """Name the documents for a batch: first those it names, then those these lead to."""
    named = names(incoming, state)
    for pool in sorted(named.pools):
        yield store.find_pool(pool)
    yield from store.find_ids(store.AGENTS, named.agents)
    yield from store.find_ids(store.OUTCOMES, named.commands)
    yield from store.find_ids(store.ASSIGNMENTS, named.offers)
    yield from store.find_ids(store.WORK_ITEMS, named.work_items)
    yield from _led_to(named, state)
    for line in lines(named, state):
        yield store.find_waiting(line.pool, line.skills, line.most_units, line.limit)


def names(incoming: Sequence[Incoming], state: State) -> Named:
    """Return what a batch names."""
    named = Named()
    for one in incoming:
        if isinstance(one, TimerDue):
            _name_timer(named, one)
        else:
            _name_event(named, one.event, state)
    return named


def _name_timer(named: Named, timer: TimerDue) -> None:
    named.pools.add(timer.data["pool"])
    if timer.kind == SWEEP:
        named.sweeps[timer.data["pool"]] = timer.data["limit"]
        return
    named.work_items.add(timer.data["work_item_id"])
    if timer.kind == LEASE:
        named.offers.add(timer.data["offer_id"])
        named.agents.add(timer.data["agent_id"])


def _name_event(named: Named, event: Event, state: State) -> None:
    if isinstance(event, WorkItemSubmitted):
        named.pools.add(event.data.pool)
        named.work_items.add(event.data.work_item_id)
        return
    if not isinstance(event, (AgentDeclared, AgentStatusDeclared, OfferAnswered, WorkItemFinished)):
        return
    named.pools.add(event.data.pool)
    named.commands.add(event.id)
    if isinstance(event, OfferAnswered):
        named.offers.add(event.data.offer_id)
        if event.data.answer == "accept" and not _is_late(event, state):
            return  # frees nobody
    if isinstance(event, WorkItemFinished):
        named.work_items.add(event.data.work_item_id)
        named.finished.add(event.data.work_item_id)
    if isinstance(event, AgentDeclared):
        skills = frozenset(event.data.skills)
        named.declared.append((event.data.pool, skills, event.data.capacity_units))
    named.agents.add(event.data.agent_id)


def _is_late(event: OfferAnswered, state: State) -> bool:
    offer = state.get(store.ASSIGNMENTS, event.data.offer_id)
    return offer is not None and event.time > offer["expires_at"]


def _led_to(named: Named, state: State) -> Iterator[Find]:
    offers: set[str] = set()
    items: set[str] = set()
    cases: set[str] = set()
    for agent in _known(state, store.AGENTS, named.agents):
        pending = [hold for hold in agent["held"] if not hold["accepted"]]
        offers.update(hold["offer_id"] for hold in pending)
        items.update(hold["work_item_id"] for hold in pending)
    items.update(offer["work_item_id"] for offer in _known(state, store.ASSIGNMENTS, named.offers))
    for item in _known(state, store.WORK_ITEMS, named.finished):
        offers.update(filter(None, (item["offer_id"],)))
        cases.update(filter(None, (item["about"]["case_id"],)))
    yield from store.find_ids(store.ASSIGNMENTS, offers)
    yield from store.find_ids(store.WORK_ITEMS, items)
    yield from store.find_ids(store.CASES, cases)


def _known(state: State, collection: str, ids: Iterable[str]) -> Iterator[Document]:
    for document_id in ids:
        document = state.get(collection, document_id)
        if document is not None:
            yield document


def lines(named: Named, state: State) -> list[Line]:
    """Return the heads of lines to look down: one for each set of skills that may get free."""
    groups: dict[tuple[str, frozenset[str]], list[int]] = {}
    for agent in state.all(store.AGENTS):
        if agent["pool"] not in named.pools:
            continue  # named by a command for a pool that it is not in
        freed = agent["_id"] in named.agents
        swept = agent["pool"] in named.sweeps and agent["status"] == AVAILABLE
        if freed or swept:
            key = (agent["pool"], frozenset(agent["skills"]))
            groups.setdefault(key, []).append(agent["capacity_units"])
    for pool, skills, units in named.declared:
        groups.setdefault((pool, skills), []).append(units)
    return [
        Line(pool, skills, max(units), _limit(sum(units), named.sweeps.get(pool, 0)))
        for (pool, skills), units in sorted(groups.items(), key=lambda group: repr(group[0]))
    ]


def _limit(units: int, swept: int) -> int:
    return max(min(max(units, LINE_AT_LEAST), LINE_AT_MOST), swept)


def cut_short(seen: Iterable[Line], state: State) -> list[Line]:
    """Return the lines whose head was as long as was asked for, so that more may follow."""
    items = [item for item in state.all(store.WORK_ITEMS) if item["state"] == "waiting"]
    return [line for line in seen if sum(map(line.holds, items)) >= line.limit]
