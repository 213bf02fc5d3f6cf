"""Who a customer is: values that only ever grow, so that order and repetition change nothing.

Every rule here is a join (commutative, associative, idempotent): facts may come in any order, any
number of times and in any batches, and the same customer results.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

SEEN_SLOT = timedelta(minutes=10)
"""How finely "last seen" is kept. A conversation of ten messages lasts minutes, so this is one or
two writes for it instead of ten; the exact times are on the timeline."""

PROVIDER = 1
SYSTEM_OF_RECORD = 2
"""Ranks of what tells a name: a system of record knows better than a provider's display name."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A name and on whose word; the greatest (rank, time, value) counts."""

    rank: int
    at: datetime
    value: str


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer id: either it stands for a person, or `merged_into` names the one that does.

    `contact_point` is the one this id was made from. `members` are all ids and `contact_points`
    all addresses of the person, both sorted; they, the name and the times are kept only by the one
    that stands for all. `first_seen_at` is exact, `last_seen_at` the start of a `SEEN_SLOT`; both
    are None until the customer contacted us.
    """

    customer_id: str
    contact_point: str
    contact_points: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    merged_into: str | None = None
    name: Name | None = None
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None


def new_customer(customer_id: str, contact_point: str) -> Customer:
    """Return the customer first known by this contact point."""
    return Customer(customer_id, contact_point, (contact_point,), (customer_id,))


def slot_start(moment: datetime) -> datetime:
    """Return the start of the `SEEN_SLOT` that holds this time."""
    return moment - (moment - _EPOCH) % SEEN_SLOT


def display_name(value: str, at: datetime) -> Name:
    """Return the name a provider shows for a customer; its time counts in `SEEN_SLOT`s.

    It comes with every message: at full precision each of them would change the customer.
    """
    return Name(PROVIDER, slot_start(at), value)


def recorded_name(value: str, at: datetime) -> Name:
    """Return the name a system of record gave."""
    return Name(SYSTEM_OF_RECORD, at, value)


def seen(customer: Customer, at: datetime) -> Customer:
    """Return the customer, seen at this time; the same object if that tells nothing new."""
    first, last = customer.first_seen_at, customer.last_seen_at
    if first is not None and last is not None and first <= at < last + SEEN_SLOT:
        return customer
    return replace(
        customer, first_seen_at=_least(first, at), last_seen_at=_greatest(last, slot_start(at))
    )


def named(customer: Customer, name: Name) -> Customer:
    """Return the customer with the better of its name and this one; the same object if it had."""
    if customer.name is not None and customer.name >= name:
        return customer
    return replace(customer, name=name)


def _least(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(one, other)


def _greatest(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)
