"""Several customers turned out to be one: the smallest id stands for all, whatever the order."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from services.profile.domain.profile import Customer, named

MAX_CONTACT_POINTS = 50
"""More are a switchboard, a shared mailbox or a mistake, not a person; also the most an event may
name, and the most alternatives one timeline query has to walk."""


def unite(customers: Sequence[Customer]) -> Customer:
    """Return the one customer that stands for all of these (which each stand for themselves)."""
    winner = min(customers, key=lambda customer: customer.customer_id)
    united = replace(
        winner,
        members=_sorted_union(customer.members for customer in customers),
        contact_points=_sorted_union(customer.contact_points for customer in customers),
    )
    for customer in customers:
        if customer.name is not None:
            united = named(united, customer.name)
    return replace(
        united,
        first_seen_at=min(_known(customer.first_seen_at for customer in customers), default=None),
        last_seen_at=max(_known(customer.last_seen_at for customer in customers), default=None),
    )


def merged(customer: Customer, into: str) -> Customer:
    """Return a customer that another stands for: it keeps its own contact point, nothing else.

    What it knew has gone into the other; its timeline entries stay its own.
    """
    return Customer(customer.customer_id, customer.contact_point, merged_into=into)


def _sorted_union(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({value for group in groups for value in group}))


def _known(times: Iterable[datetime | None]) -> list[datetime]:
    return [at for at in times if at is not None]
