"""The outbox of replies: takes what is due, sends it, writes down the outcome, tells everybody.

Any number of processes may run one. MongoDB decides who works on a reply (a lease); the order of a
conversation is kept by working on its first unsent reply only. A crash at any point leaves a
reply that the next process understands: `waiting` goes on, `sending` may be out (docs/adr/0010).
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import uuid4

from services.ingest.accounts import Doors
from services.ingest.domain import breaker as circuit
from services.ingest.domain import limits
from services.ingest.domain.delivery import Step, after_attempt, after_crash, give_up
from services.ingest.domain.gate import Busy, Gate
from services.ingest.domain.outcomes import Later, Outcome, Unclear
from services.ingest.metrics import Meter
from services.ingest.outgoing import Guard
from services.ingest.publisher import EventPublisher
from services.ingest.replies.attempts import Attempts
from services.ingest.replies.composing import FileSource, room_for_files
from services.ingest.replies.events import event_of
from services.ingest.replies.sending import Deliver
from services.ingest.replies.store import ReplyStore
from services.ingest.senders.contract import Sender
from services.ingest.store import Document
from shared.clock import Clock
from shared.errors import Unavailable
from shared.observability import UNWATCHED, Progress, get_logger
from shared.streams.crash import crash_point

POLL = 0.5  # seconds; a reply of this process goes at once, one of another's at most this late
_PAGE = 4 * limits.REPLIES_IN_FLIGHT  # due replies read at once
_BEHIND = timedelta(seconds=2)  # until a reply behind another looks again; it is also woken
_FILES_AGAIN = timedelta(seconds=2)  # until a reply whose files find no room asks again
_WRITE_AGAIN = 2.0  # seconds
_WRITES = 15  # as long as an outage of MongoDB that its election explains, twice

_log = get_logger("ingest")


class Outbox:
    """Sends replies until it is told to drain."""

    def __init__(
        self,
        store: ReplyStore,
        doors: Doors,
        guard: Guard,
        publisher: EventPublisher,
        files: FileSource,
        *,
        deliver: Deliver,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._store, self._doors, self._publisher = store, doors, publisher
        self._clock, self._meter = clock, meter
        self._attempts = Attempts(store, guard, files, deliver, clock, meter)
        self._gate = Gate(limits.REPLY_FILES_HELD, limits.REPLY_FILES_HELD_EACH)
        self._breakers: dict[tuple[str, str], circuit.Breaker] = {}
        self._running: dict[str, tuple[tuple[str, str], asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._draining = False

    def wake(self) -> None:
        """Look for what is due now."""
        self._wake.set()

    async def run(self, health: Progress = UNWATCHED) -> None:
        """Send what is due, until cancelled."""
        while True:
            health.tick("outbox")
            # no wait_for: when both happen at once it forgets that it was cancelled (before 3.12)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._wake.wait()
            self._wake.clear()
            if self._draining:
                continue
            try:
                await self._start_due()
            except Unavailable as error:
                _log.warning("replies wait for MongoDB", problem=error.problem)

    async def drain(self) -> None:
        """Begin nothing new and return when what was begun has ended."""
        self._draining = True
        if tasks := [task for _, task in self._running.values()]:
            await asyncio.wait(tasks)

    async def _start_due(self) -> None:
        """Start what is due, the longest due first, past all that wait for a slow account.

        Each page that is full and yet leaves room starts one reply at least: there are more in it
        than run, and all of accounts with room. So this ends.
        """
        if self._room() <= 0:
            return
        now = self._clock.now()
        due = await self._store.due(now, _PAGE)
        oldest = min((reply["created_at"] for reply in due), default=now)
        self._meter.set("ingest_replies_oldest_due_seconds", (now - oldest).total_seconds())
        self._start_of(due)
        while len(due) == _PAGE and self._room() > 0:
            due = await self._store.due(now, _PAGE, self._busy())
            self._start_of(due)

    def _start_of(self, due: list[Document]) -> None:
        for reply in due:
            if self._has_room(reply):
                self._start(reply)

    def _has_room(self, reply: Document) -> bool:
        if self._room() <= 0 or reply["_id"] in self._running:
            return False
        return _place(reply) not in self._busy()

    def _room(self) -> int:
        return limits.REPLIES_IN_FLIGHT - len(self._running)

    def _busy(self) -> list[tuple[str, str]]:
        """Return the channel accounts that have as many replies under way as they may."""
        running = Counter(place for place, _ in self._running.values())
        return [place for place, number in running.items() if number >= limits.REPLIES_PER_ACCOUNT]

    def _start(self, reply: Document) -> None:
        task = asyncio.create_task(self._work(reply), name="reply")
        self._running[reply["_id"]] = (_place(reply), task)
        task.add_done_callback(lambda _: self._running.pop(reply["_id"], None))

    async def _work(self, found: Document) -> None:
        try:
            await self._advance(found)
        except Unavailable as error:  # the lease ends, and somebody goes on from what is written
            _log.warning("a reply was left for later", problem=error.problem)
        except Exception as error:
            _log.error("a reply was left for later", exc_info=error, provider=found["provider"])

    async def _advance(self, found: Document) -> None:
        """Do what is to be done for one reply: judge, send, tell."""
        unsent = found["state"] in ("waiting", "sending")
        if unsent and await self._store.waits_for_another(found):
            await self._store.wait(found["_id"], self._clock.now() + _BEHIND)
            return
        owner = uuid4().hex
        reply = await self._store.claim(found["_id"], owner, self._clock.now())
        if reply is None:
            return
        crash_point("reply-claimed")
        settled: Document | None = reply
        if reply["state"] in ("waiting", "sending"):
            settled = await self._send(reply, owner)
        if settled is not None:
            await self._tell(settled)
        self.wake()

    async def _send(self, reply: Document, owner: str) -> Document | None:
        """Bring a claimed reply as far as it goes; return it if its outcome is settled."""
        door = self._doors.get(_place(reply))
        sender = door.sender if door else None
        if door is None or sender is None:
            return await self._settle(reply, owner, Step("failed", "the channel receives only"))
        if reply["state"] == "sending":
            step = after_crash(
                reply_id=reply["_id"],
                attempts=reply["attempts"],
                repeatable=sender.repeatable,
                now=self._clock.now(),
            )
            return await self._settle(reply, owner, step)
        if reason := await self._why_give_up(reply, sender):
            return await self._settle(reply, owner, Step("failed", reason))
        if ask_again := self._ask(reply):
            await self._store.postpone(reply["_id"], owner, ask_again)
            return None
        try:
            with room_for_files(self._gate, reply, sender):
                outcome = await self._attempts.make(reply, owner, door, sender)
        except Busy:
            await self._store.postpone(reply["_id"], owner, self._clock.now() + _FILES_AGAIN)
            return None
        if outcome is None:
            return None
        self._learn(reply, outcome)
        step = after_attempt(
            outcome,
            reply_id=reply["_id"],
            attempts=reply["attempts"] + 1,
            repeatable=sender.repeatable,
            now=self._clock.now(),
        )
        return await self._settle(reply, owner, step)

    async def _why_give_up(self, reply: Document, sender: Sender) -> str | None:
        binds = sender.window and reply["content"]["template"] is None
        closes = await self._store.window_of(reply["conversation_id"]) if binds else None
        now = self._clock.now()
        return give_up(reply["created_at"], (closes or now) if binds else None, now)

    def _ask(self, reply: Document) -> datetime | None:
        place = _place(reply)
        known = self._breakers.get(place, circuit.Breaker())
        self._breakers[place], ask_again = circuit.ask(known, self._clock.now())
        return ask_again

    def _learn(self, reply: Document, outcome: Outcome) -> None:
        """Tell the breaker: an answer is an answer, even a refusal; silence and "later" are not."""
        place, now = _place(reply), self._clock.now()
        known = self._breakers.get(place, circuit.Breaker())
        if isinstance(outcome, Later | Unclear):
            after = outcome.after if isinstance(outcome, Later) else None
            known = circuit.failed(known, now, after)
        else:
            known = circuit.worked(known)
        self._breakers[place] = known
        is_open = circuit.state_of(known, now) != "closed"
        self._meter.set("ingest_breaker_open", float(is_open), provider=place[0], account=place[1])

    async def _settle(self, reply: Document, owner: str, step: Step) -> Document | None:
        """Write down what became of a reply, patiently: only we know it."""
        settled = await self._patiently(
            lambda: self._store.settle(reply["_id"], owner, step, self._clock.now())
        )
        crash_point("reply-settled")
        if settled is None or step.state == "waiting":
            return None
        labels = {"provider": reply["provider"], "account": reply["account"]}
        self._meter.count("ingest_replies_total", state=step.state, **labels)
        if step.state == "sent":
            seconds = (settled["settled_at"] - settled["created_at"]).total_seconds()
            self._meter.observe("ingest_reply_seconds", seconds, provider=reply["provider"])
        return settled

    async def _patiently(self, write: Callable[[], Awaitable[Document | None]]) -> Document | None:
        for _ in range(_WRITES):
            try:
                return await write()
            except Unavailable:
                await asyncio.sleep(_WRITE_AGAIN)
        return await write()

    async def _tell(self, reply: Document) -> None:
        try:
            await self._publisher.publish([event_of(reply)])
        except Unavailable:
            await self._store.publish_again(reply, self._clock.now())
            return
        crash_point("reply-published")
        await self._store.finish(reply, self._clock.now())


def _place(reply: Document) -> tuple[str, str]:
    return reply["provider"], reply["account"]
