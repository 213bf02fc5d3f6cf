"""The matcher: commands and timers in, changes of the pools' boards out."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from services.routing import changes, store
from services.routing.announce import Announcer
from services.routing.domain import facts, outcomes
from services.routing.domain.board import Board
from services.routing.domain.model import (
    About,
    AgentDeclaration,
    Completed,
    Outcome,
    WorkItem,
)
from services.routing.domain.policy import RoutingPolicy
from services.routing.domain.rank import rank
from services.routing.intake import Intake
from services.routing.lookups import (
    LEASE,
    OFFER_AGAIN,
    SWEEP,
    cut_short,
    lines,
    matcher_needs,
    names,
)
from shared.events.routing import (
    AgentDeclared,
    AgentStatusDeclared,
    OfferAnswered,
    WorkItemFinished,
    WorkItemSubmitted,
    WorkItemSubmittedData,
)
from shared.streams import Document, Effects, Find, Incoming, State, TimerDue

SWEEP_EVERY = timedelta(seconds=60)  # the board keeps itself matched; this finds what it missed
SWEEP_SOON = timedelta(seconds=1)  # when the line loaded was too short to be sure

Command = AgentDeclared | AgentStatusDeclared | OfferAnswered | WorkItemFinished


class Matcher:
    """Places work items, under one version of the policy."""

    def __init__(self, policy: RoutingPolicy, policy_version: str) -> None:
        self._policy = policy
        self._version = policy_version

    def needs(self, incoming: Sequence[Incoming], state: State) -> Iterator[Find]:
        """Name what the batch must know."""
        return matcher_needs(incoming, state)

    def decide(self, incoming: Sequence[Incoming], state: State, now: datetime) -> Effects:
        """Apply every fact to its pool's board, in order, and write what changed once."""
        return _Batch(self._policy, self._version, incoming, state, now).effects


class _Batch:
    """One batch: the boards of its pools, and the effects collected on the way."""

    def __init__(
        self,
        policy: RoutingPolicy,
        policy_version: str,
        incoming: Sequence[Incoming],
        state: State,
        now: datetime,
    ) -> None:
        self.effects = Effects()
        self._policy, self._state, self._now = policy, state, now
        self._announcer = Announcer(self.effects, policy_version)
        self._named = names(incoming, state)
        self._boards = {pool: self._board(pool) for pool in sorted(self._named.pools)}
        self._homes = {agent["_id"]: agent["pool"] for agent in state.all(store.AGENTS)}
        self._answered: set[str] = set()
        self._completed: dict[str, datetime] = {}
        self._last: dict[str, Incoming] = {}
        for one in incoming:
            self._apply(one)
        for board in self._boards.values():
            if board.pool in self._last:
                changes.write(self.effects, board, state, now, self._last[board.pool])
        self._write_cases()
        self._set_sweeps()

    def _board(self, pool: str) -> Board:
        state, board = self._state, Board(pool, self._policy)
        board.load(
            (store.agent_from(one) for one in state.all(store.AGENTS) if one["pool"] == pool),
            (
                store.work_item_from(one)
                for one in state.all(store.WORK_ITEMS)
                if one["pool"] == pool
            ),
            (
                store.assignment_from(one)
                for one in state.all(store.ASSIGNMENTS)
                if one["pool"] == pool
            ),
        )
        return board

    # facts

    def _apply(self, one: Incoming) -> None:
        if isinstance(one, TimerDue):
            board = self._boards[one.data["pool"]]
            _TIMERS[one.kind](board, one.data, self._now)
        elif isinstance(one.event, WorkItemSubmitted):
            board = self._boards[one.event.data.pool]
            facts.submit(board, self._work_item(one.event.data), self._now)
        elif isinstance(one.event, Command):
            board = self._boards[one.event.data.pool]
            self._obey(board, one.event)
        else:
            return
        self._last[board.pool] = one
        self._tell(board, one)

    def _work_item(self, data: WorkItemSubmittedData) -> WorkItem:
        about = data.about
        return WorkItem(
            work_item_id=data.work_item_id,
            about=About(
                about.conversation_id,
                about.channel,
                about.contact_points,
                about.case_id,
                about.case_reference,
            ),
            pool=data.pool,
            queue=data.queue,
            required_skills=frozenset(data.required_skills),
            capacity_units=data.capacity_units,
            priority=data.priority,
            arrived_at=data.arrived_at,
            rank=rank(data.arrived_at, data.priority, self._policy.head_start),
        )

    def _obey(self, board: Board, command: Command) -> None:
        """Apply a command unless its outcome is known, and keep its outcome."""
        if command.id in self._answered or self._state.get(store.OUTCOMES, command.id):
            return
        self._answered.add(command.id)
        outcome, about = self._outcome(board, command)
        document = store.outcome_document(command.id, outcome, about, self._now)
        self.effects.insert(store.OUTCOMES, document)
        if not outcome.ok:
            self.effects.count("commands_refused_total", code=outcome.code)

    def _outcome(self, board: Board, command: Command) -> tuple[Outcome, Document]:
        stamp, now, data = (command.time, command.id), self._now, command.data
        about: Document = {"agent_id": data.agent_id}
        if isinstance(command, AgentDeclared):
            return self._declare(board, command), about
        if isinstance(command, AgentStatusDeclared):
            return facts.declare_status(
                board, data.agent_id, command.data.status, stamp, now
            ), about
        if isinstance(command, OfferAnswered):
            offer_id = command.data.offer_id
            outcome = facts.answer(
                board, offer_id, data.agent_id, command.data.answer, command.time, now
            )
            offer = board.offers.get(offer_id)
            about |= {"offer_id": offer_id, "work_item_id": offer and offer.work_item_id}
            return outcome, about
        work_item_id = command.data.work_item_id
        outcome = facts.finish(board, work_item_id, data.agent_id, command.time, now)
        return outcome, about | {"work_item_id": work_item_id}

    def _declare(self, board: Board, command: AgentDeclared) -> Outcome:
        data = command.data
        if self._homes.setdefault(data.agent_id, board.pool) != board.pool:
            return outcomes.AGENT_ELSEWHERE
        declaration = AgentDeclaration(
            data.agent_id,
            data.name,
            data.pool,
            frozenset(data.skills),
            data.capacity_units,
            data.status,
        )
        return facts.declare(board, declaration, (command.time, command.id), self._now)

    def _tell(self, board: Board, because: Incoming) -> None:
        for decision in board.decisions:
            self._announcer.tell(decision, because)
            if isinstance(decision, Completed) and decision.item.about.case_id:
                self._completed[decision.item.about.case_id] = decision.item.completed_at or (
                    decision.at
                )
        board.decisions.clear()

    # writes

    def _write_cases(self) -> None:
        for case_id, at in self._completed.items():
            case = self._state.get(store.CASES, case_id)
            if case is not None and case["completed_at"] is None:
                self.effects.guarded(
                    store.CASES,
                    {"_id": case_id, "completed_at": None},
                    {"$set": {"completed_at": at}},
                )

    def _set_sweeps(self) -> None:
        """Sweep each pool once a minute, and soon where more of the line may fit."""
        short: dict[str, int] = {}
        for line in cut_short(lines(self._named, self._state), self._state):
            if any(agent.skills == line.skills for agent in self._boards[line.pool].open_agents):
                short[line.pool] = max(short.get(line.pool, 0), line.limit * 2)
        started = {pool for pool, _, _ in self._named.declared}
        for pool in sorted(short.keys() | started | self._named.sweeps.keys()):
            self.effects.set_timer(
                f"sweep:{pool}",
                SWEEP,
                self._now + (SWEEP_SOON if pool in short else SWEEP_EVERY),
                {"pool": pool, "limit": short.get(pool, 0)},
                self._last[pool],
            )


def _on_lease(board: Board, data: Mapping[str, str], now: datetime) -> None:
    facts.expire(board, data["offer_id"], now)


def _on_offer_again(board: Board, data: Mapping[str, str], now: datetime) -> None:
    facts.offer_again(board, data["work_item_id"], now)


def _on_sweep(board: Board, _data: Mapping[str, str], now: datetime) -> None:
    facts.sweep(board, now)


_TIMERS = {LEASE: _on_lease, OFFER_AGAIN: _on_offer_again, SWEEP: _on_sweep}

__all__ = ["Intake", "Matcher"]
