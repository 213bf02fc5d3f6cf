"""Whose is it? Links between contact points, and the customers that follow from them.

Every contact point has a customer id of its own, made from nothing but itself. Links are evidence
that two contact points are one person's. A person is a connected component, and its smallest id
stands for all: union by minimum gives the same result in any order, any batches, with any repeats.

The one exception: a link that would take a customer over `MAX_CONTACT_POINTS` is kept as evidence
and not applied ("parked"). *Which* of a mega-profile's links are parked depends on their order;
that no customer grows beyond the limit does not, and a parked link stays parked, because customers
only grow.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.profile.domain.merge import MAX_CONTACT_POINTS, merged, unite
from services.profile.domain.profile import Customer, Name, named, new_customer, seen
from shared.ids import derived_id

SYSTEM_OF_RECORD_LINK = "system-of-record"
PROVIDER_LINK = "provider"


@dataclass(frozen=True, slots=True)
class Member:
    """A contact point and the customer id made from it."""

    customer_id: str
    contact_point: str


@dataclass(frozen=True, slots=True)
class Link:
    """Evidence that two contact points are one person's: its kind and the earliest that said so.

    The earliest by (time, id), so that it does not depend on which evidence was read first.
    """

    link_id: str
    kind: str
    customer_ids: tuple[str, str]
    contact_points: tuple[str, str]
    evidence: str
    occurred_at: datetime
    parked: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """An event that names several contact points of one person."""

    event_id: str
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Linked:
    """What a link led to: who stands for all now, and which ids it newly stands for."""

    customer: Customer
    linked_ids: tuple[str, ...]


def link_id(kind: str, one: str, other: str) -> str:
    """Return the id of the link of this kind between two customer ids, in either order."""
    return derived_id("link", kind, *sorted((one, other)))


def link_ids(kind: str, customer_ids: Sequence[str]) -> list[str]:
    """Return the ids of all links that naming these together makes: the first with each other."""
    return [link_id(kind, customer_ids[0], other) for other in customer_ids[1:]]


class Identities:
    """The customers and links a batch touches: facts are folded in, what changed comes out.

    `load_customer` and `load_link` return what was known before the batch, or None.
    """

    def __init__(
        self,
        load_customer: Callable[[str], Customer | None],
        load_link: Callable[[str], Link | None],
    ) -> None:
        self._load_customer = load_customer
        self._load_link = load_link
        self._customers: dict[str, Customer] = {}
        self._links: dict[str, Link] = {}
        self._changed: set[str] = set()
        self._changed_links: set[str] = set()
        self.parked: list[Link] = []

    def meet(self, member: Member) -> bool:
        """Make sure that this contact point has a customer; tell whether it is new."""
        if self._get(member.customer_id) is not None:
            return False
        self._put(new_customer(member.customer_id, member.contact_point))
        return True

    def standing(self, customer_id: str) -> Customer:
        """Return the customer that stands for this id (which must be known)."""
        customer = self._customers.get(customer_id) or self._get(customer_id)
        while customer is not None and customer.merged_into is not None:
            customer = self._get(customer.merged_into)
        assert customer is not None, "a customer was asked for that the batch did not load"
        return customer

    def note(self, customer_id: str, name: Name | None, seen_at: datetime | None) -> None:
        """Take in a name, and that the customer contacted us."""
        before = after = self.standing(customer_id)
        if seen_at is not None:
            after = seen(after, seen_at)
        if name is not None:
            after = named(after, name)
        if after is not before:
            self._put(after)

    def link(self, members: Sequence[Member], because: Evidence) -> Linked | None:
        """Take in that these contact points are one person's; return what that changed, if any."""
        first = self.standing(members[0].customer_id)
        united, size = {first.customer_id: first}, len(first.contact_points)
        for other in members[1:]:
            found = self.standing(other.customer_id)
            apart = found.customer_id not in united
            parked = apart and size + len(found.contact_points) > MAX_CONTACT_POINTS
            self._keep(_link(members[0], other, because, parked))
            if apart and not parked:
                united[found.customer_id] = found
                size += len(found.contact_points)
        return self._unite(tuple(united.values())) if len(united) > 1 else None

    def changed_customers(self) -> Iterable[Customer]:
        """Return the customers to save, each once, by id."""
        return (self._customers[customer_id] for customer_id in sorted(self._changed))

    def changed_links(self) -> Iterable[Link]:
        """Return the links to save, each once, by id."""
        return (self._links[changed] for changed in sorted(self._changed_links))

    def _unite(self, customers: Sequence[Customer]) -> Linked:
        winner = unite(customers)
        self._put(winner)
        linked_ids = tuple(
            member
            for customer in customers
            if customer.customer_id != winner.customer_id
            for member in customer.members
        )
        for loser_id in linked_ids:  # all of them, so that no path is longer than one step
            loser = self._get(loser_id)
            assert loser is not None, "a member was not loaded"
            self._put(merged(loser, winner.customer_id))
        return Linked(winner, tuple(sorted(linked_ids)))

    def _keep(self, link: Link) -> None:
        known = self._links.get(link.link_id) or self._load_link(link.link_id)
        if known is None:
            self._links[link.link_id] = link
            self._changed_links.add(link.link_id)
            if link.parked:
                self.parked.append(link)
        elif (link.occurred_at, link.evidence) < (known.occurred_at, known.evidence):
            self._links[link.link_id] = replace(
                known, evidence=link.evidence, occurred_at=link.occurred_at
            )
            self._changed_links.add(link.link_id)

    def _get(self, customer_id: str) -> Customer | None:
        customer = self._customers.get(customer_id)
        if customer is None:
            customer = self._load_customer(customer_id)
            if customer is not None:
                self._customers[customer_id] = customer
        return customer

    def _put(self, customer: Customer) -> None:
        self._customers[customer.customer_id] = customer
        self._changed.add(customer.customer_id)


def _link(one: Member, other: Member, because: Evidence, parked: bool) -> Link:
    first, second = sorted((one, other), key=lambda member: member.customer_id)
    return Link(
        link_id=link_id(because.kind, one.customer_id, other.customer_id),
        kind=because.kind,
        customer_ids=(first.customer_id, second.customer_id),
        contact_points=(first.contact_point, second.contact_point),
        evidence=because.event_id,
        occurred_at=because.at,
        parked=parked,
    )
