"""What is known already, so that a fact that tells nothing new costs no look at the store.

Everything about identity only grows: a customer exists for good, names and times move one way,
links stay. So what was read once is true for ever as a lower bound: a fact that adds nothing to it
adds nothing to what is stored now, and leaving it out is not a guess. (Erasing a customer must
therefore also make every process forget, for instance by a restart.)

The same fact must be known both when the batch is loaded and when it is decided, so nothing is
forgotten within `KEPT_FOR`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.profile.domain.identity import Evidence, Link, link_ids
from services.profile.domain.merge import unite
from services.profile.domain.profile import Customer, Name, named, seen

KEPT_FOR = timedelta(minutes=5)
"""Ten times the 30 s after which a batch is loaded anew."""

GENERATION = 50_000
"""Customers and links, about 600 bytes each; two generations are at most 60 MB."""


@dataclass(slots=True)
class _Generation:
    began_at: datetime
    customers: dict[str, Customer] = field(default_factory=dict)
    links: dict[str, tuple[datetime, str]] = field(default_factory=dict)


class Knowledge:
    """Customers and links as they were read from the store, the least recently learnt forgotten."""

    def __init__(self, generation: int = GENERATION) -> None:
        self._size = generation
        self._young: _Generation | None = None
        self._old: _Generation | None = None

    def covers(
        self, customer_ids: Sequence[str], name: Name | None, seen_at: datetime | None
    ) -> bool:
        """Tell whether these ids are known, and for the first one also this name and time."""
        first = self._customer(customer_ids[0])
        if first is None:
            return False
        if seen_at is not None and seen(first, seen_at) is not first:
            return False
        if name is not None and named(first, name) is not first:
            return False
        return len(customer_ids) == 1 or all(map(self._customer, customer_ids[1:]))

    def covers_link(self, customer_ids: Sequence[str], because: Evidence) -> bool:
        """Tell whether all these links are known, by evidence that is no later than this.

        A link that is stored was applied, or parked for good, so it changes nothing again.
        """
        evidence = (because.at, because.event_id)
        known = map(self._link, link_ids(because.kind, customer_ids))
        return all(one is not None and one <= evidence for one in known)

    def learn(
        self, customers: Sequence[tuple[str, Customer]], links: Sequence[Link], now: datetime
    ) -> None:
        """Remember what was read: by id, the customer that stands for it; and links."""
        young = self._room(now)
        if young is None:
            return
        for customer_id, customer in customers:  # joined: an older snapshot must not take away
            known = self._customer(customer_id)
            young.customers[customer_id] = customer if known is None else unite((known, customer))
        for link in links:
            evidence = (link.occurred_at, link.evidence)
            young.links[link.link_id] = min(evidence, self._link(link.link_id) or evidence)

    def _room(self, now: datetime) -> _Generation | None:
        young = self._young
        if young is None or (
            len(young.customers) + len(young.links) >= self._size
            and now - young.began_at >= KEPT_FOR
        ):
            self._old, self._young = young, _Generation(now)
            return self._young
        full = len(young.customers) + len(young.links) >= self._size
        return None if full else young

    def _customer(self, customer_id: str) -> Customer | None:
        young, old = self._young, self._old
        found = young.customers.get(customer_id) if young is not None else None
        if found is None and old is not None:
            found = old.customers.get(customer_id)
        return found

    def _link(self, link_id: str) -> tuple[datetime, str] | None:
        young, old = self._young, self._old
        found = young.links.get(link_id) if young is not None else None
        if found is None and old is not None:
            found = old.links.get(link_id)
        return found
