"""From events and timers to clocks and back: load, let the domain decide, save."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from services.sla.domain.announce import Announcement, announce
from services.sla.domain.clock import Clock, hear, look, next_look
from services.sla.domain.promises import Charter
from services.sla.facts import Heard, heard_in
from services.sla.metrics import OUTCOMES, WARNINGS
from services.sla.outgoing import event_of
from services.sla.store import CLOCKS, blank_clock, clock_id_of, from_document, to_document
from shared.streams import CALM, Effects, Find, Incoming, Processor, Received, State, TimerDue

TOPICS = ("contact-events", "routing-events")


class Handlers:
    """The sla processor's two functions, under one charter."""

    def __init__(self, charter: Charter) -> None:
        self._charter = charter

    def processor(self) -> Processor:
        """Return the processor to run."""
        return Processor("sla", TOPICS, self.needs, self.decide, rounds=1, pace=CALM)

    def needs(self, incoming: Sequence[Incoming], state: State) -> Iterable[Find]:
        """Name the clocks that the batch is about."""
        ids = {clock_id_of(heard.conversation_id) for heard, _ in self._heard(incoming)}
        ids |= {item.timer_id for item in incoming if isinstance(item, TimerDue)}
        return [Find(CLOCKS, ids=frozenset(ids))] if ids else []

    def decide(self, incoming: Sequence[Incoming], state: State, now: datetime) -> Effects:
        """Take in all facts of the batch first, then look where a timer asked to.

        Outcomes come from event times, so the order does not matter to them; but after an outage
        an answer and the overdue timer often come in one batch, and then there is no breach to
        tell first and correct at once.
        """
        batch = _Batch(state)
        for heard, item in self._heard(incoming):
            promise = self._charter.promise_for(heard.channel, heard.channel_account)
            batch.hear(hear(batch.clock_for(heard), heard.fact, promise), item)
        for item in incoming:
            if isinstance(item, TimerDue):
                batch.wake(item, now)
        return batch.effects(now)

    def _heard(self, incoming: Sequence[Incoming]) -> Iterable[tuple[Heard, Incoming]]:
        for item in incoming:
            heard = heard_in(item.event) if isinstance(item, Received) else None
            if heard is not None and self._charter.watches(heard.channel, heard.channel_account):
                yield heard, item


class _Batch:
    """The clocks a batch touches: as they were loaded, as they are now, and why."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._before: dict[str, Clock] = {}
        self._after: dict[str, Clock] = {}
        self._because: dict[str, Incoming] = {}
        self._woken: set[str] = set()

    def clock_for(self, heard: Heard) -> Clock:
        return self._load(clock_id_of(heard.conversation_id)) or self._remember(
            blank_clock(heard.conversation_id, heard.channel)
        )

    def _load(self, clock_id: str) -> Clock | None:
        if clock_id in self._after:
            return self._after[clock_id]
        document = self._state.get(CLOCKS, clock_id)
        return self._remember(from_document(document)) if document else None

    def _remember(self, clock: Clock) -> Clock:
        self._before[clock.clock_id] = self._after[clock.clock_id] = clock
        return clock

    def hear(self, clock: Clock, because: Incoming) -> None:
        if clock is not self._after[clock.clock_id]:
            self._after[clock.clock_id] = clock
            self._because[clock.clock_id] = because

    def wake(self, timer: TimerDue, now: datetime) -> None:
        clock = self._load(timer.timer_id)
        if clock is not None:
            self._after[clock.clock_id] = look(clock, now)
            self._because[clock.clock_id] = timer
            self._woken.add(clock.clock_id)

    def effects(self, now: datetime) -> Effects:
        effects = Effects()
        for clock_id, because in self._because.items():
            before, woken = self._before[clock_id], clock_id in self._woken
            after, told = announce(before, self._after[clock_id], now, woken=woken)
            if after != before:
                effects.save(CLOCKS, to_document(after))
            for announcement in told:
                effects.publish(event_of(announcement), because)
                _count(effects, announcement)
            _set_timer(effects, before, after, because, woken=woken)
        return effects


def _set_timer(
    effects: Effects, before: Clock, after: Clock, because: Incoming, *, woken: bool
) -> None:
    wanted = next_look(after)
    if wanted is None and next_look(before) is not None and not woken:
        effects.cancel_timer(after.clock_id)
    if wanted is not None and (woken or wanted != next_look(before)):
        kind, at = wanted
        new = next_look(before) is None and not woken
        effects.set_timer(after.clock_id, kind, at, {}, because, new=new)


def _count(effects: Effects, announcement: Announcement) -> None:
    labels = {"target": announcement.clock.target, "channel": announcement.clock.channel}
    if announcement.kind == "warned":
        effects.count(WARNINGS, **labels)
    elif announcement.kind != "started" and announcement.is_news:
        result = "corrected" if announcement.corrects_breach else announcement.kind
        effects.count(OUTCOMES, **labels, result=result)
