"""What one open page is sent: each new entry once, whatever breaks in between.

An entry becomes visible when its transaction commits, which may be after entries recorded later.
So a reader's position is not "the last entry" but a time, and looking again starts `OVERLAP` before
it; what was sent on this connection is not sent again. A browser that connects anew gets the
overlap once more and leaves out the ids that it shows already.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.profile import store
from services.profile.domain.profile import Customer
from services.profile.domain.timeline import Entry
from services.profile.live import Live, TooSlow

OVERLAP = timedelta(seconds=90)
"""A batch is given up after 30 s, and a process whose clock is 60 s off takes no work."""

HEARTBEAT = 15.0  # seconds; proxies commonly close what was silent for 30 to 60
CATCH_UP = 500  # entries; who missed more is better off with a fresh page


@dataclass(frozen=True, slots=True)
class Fresh:
    """A new entry, and the position to resume from."""

    entry: Entry
    position: datetime


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing new for a while; the connection stands."""


@dataclass(frozen=True, slots=True)
class Stale:
    """What the page shows of the customer is no longer so (or too much was missed): load it."""


Told = Fresh | Quiet | Stale


class Feed:
    """One reader's way along a customer's timeline, from a position on."""

    def __init__(
        self,
        database: store.Reads,
        live: Live,
        customer: Customer,
        since: datetime,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self._database, self._live, self._customer = database, live, customer
        self._position, self._heartbeat = since, heartbeat
        self._sent: set[str] = set()
        self._sent_in_order: deque[str] = deque()

    async def run(self) -> AsyncIterator[Told]:
        """Yield what the reader is to be told; ends when it should connect again."""
        with self._live.subscribe(self._customer.members) as subscription:
            while True:
                missed = await store.recorded_since(
                    self._database, self._customer.members, self._position - OVERLAP, CATCH_UP
                )
                for fresh in self._take(missed):
                    yield fresh
                if len(missed) == CATCH_UP or await self._has_changed():
                    yield Stale()
                    return
                yield Quiet()
                until = asyncio.get_running_loop().time() + self._heartbeat
                try:
                    while (left := until - asyncio.get_running_loop().time()) > 0:
                        entry = await subscription.next(left)
                        for fresh in self._take([entry] if entry is not None else []):
                            yield fresh
                except TooSlow:
                    return

    def _take(self, entries: Sequence[Entry]) -> Iterable[Fresh]:
        for entry in entries:
            if entry.entry_id in self._sent:
                continue
            self._remember(entry.entry_id)
            self._position = max(self._position, entry.recorded_at)
            yield Fresh(entry, self._position)

    def _remember(self, entry_id: str) -> None:
        self._sent.add(entry_id)
        self._sent_in_order.append(entry_id)
        if len(self._sent_in_order) > 4 * CATCH_UP:  # more than any look into the overlap returns
            self._sent.discard(self._sent_in_order.popleft())

    async def _has_changed(self) -> bool:
        now = await store.find_customer(self._database, self._customer.customer_id)
        return now is None or _shown(now) != _shown(self._customer)


def _shown(customer: Customer) -> tuple[object, ...]:
    return customer.customer_id, customer.members, customer.name
