"""The read API: customers by contact point, and their timelines. Nothing here changes anything."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from services.profile import store
from services.profile.domain.profile import Customer
from services.profile.domain.timeline import (
    BrokenCursor,
    Cursor,
    Entry,
    read_cursor,
    write_cursor,
)
from services.profile.settings import Settings
from shared.contact_points import parse_contact_point
from shared.http import ApiError, check_bearer
from shared.ids import KeyedIds

MAX_LIMIT = 200
DEFAULT_LIMIT = 50

CustomerId = Annotated[str, Path(min_length=1, max_length=256)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
WrittenCursor = Annotated[str | None, Query(max_length=2_000)]


class CustomerView(BaseModel):
    """A customer, as it stands for all its ids.

    `last_seen_at` is exact to ten minutes (the start of them); both times are null until the
    customer contacted us.
    """

    customer_id: str
    name: str | None
    contact_points: list[str]
    linked_ids: list[str] = Field(description="ids this customer stands for, its own included")
    first_seen_at: datetime | None
    last_seen_at: datetime | None


class EntryView(BaseModel):
    """One fact on the timeline; `data` is the event's, without what has a field here."""

    id: str
    kind: str
    occurred_at: datetime
    received_at: datetime | None
    recorded_at: datetime
    channel: str | None
    conversation_id: str | None
    case_id: str | None
    case_reference: str | None
    opaque: bool = Field(description="a type this version does not know; `data` is all of it")
    data: dict[str, Any]


class TimelineView(BaseModel):
    """A piece of a timeline, newest first; `next_cursor` is null at its end."""

    entries: list[EntryView]
    next_cursor: str | None


def create_router(database: store.Reads, ids: KeyedIds, settings: Settings) -> APIRouter:
    """Return the routes under `/v1/customers`."""
    token = settings.api_token.get_secret_value() if settings.api_token else None

    def authorised(request: Request) -> None:
        check_bearer(request, token)

    router = APIRouter(prefix="/v1/customers", dependencies=[Depends(authorised)])

    @router.get("")
    async def find(contact_point: Annotated[str, Query(max_length=400)]) -> CustomerView:
        """Find the customer who has this contact point, however it is written."""
        customer_id = ids.customer_id(parse_contact_point(contact_point))
        return customer_view(await existing_customer(database, customer_id))

    @router.get("/{customer_id}")
    async def get(customer_id: CustomerId) -> CustomerView:
        """Return the customer that stands for this id."""
        return customer_view(await existing_customer(database, customer_id))

    @router.get("/{customer_id}/timeline")
    async def timeline(
        customer_id: CustomerId, limit: Limit = DEFAULT_LIMIT, cursor: WrittenCursor = None
    ) -> TimelineView:
        """Return a piece of the timeline, newest first, stable while entries are added."""
        customer = await existing_customer(database, customer_id)
        entries, following = await read_piece(database, customer, cursor, limit)
        return TimelineView(entries=[entry_view(entry) for entry in entries], next_cursor=following)

    return router


async def existing_customer(database: store.Reads, customer_id: str) -> Customer:
    """Return the customer that stands for this id, or refuse with 404."""
    customer = await store.find_customer(database, customer_id)
    if customer is None:
        raise ApiError(
            404,
            "customer-not-found",
            "There is no such customer.",
            "Check the id or the contact point; a customer exists from the first event on.",
        )
    return customer


async def read_piece(
    database: store.Reads, customer: Customer, cursor: str | None, limit: int
) -> tuple[list[Entry], str | None]:
    """Return up to `limit` entries after a cursor, and the cursor of what follows them, if any."""
    found = await store.read_timeline(database, customer.members, _parse(cursor), limit + 1)
    entries = found[:limit]
    if len(found) <= limit:
        return entries, None
    return entries, write_cursor(Cursor(entries[-1].occurred_at, entries[-1].entry_id))


def _parse(cursor: str | None) -> Cursor | None:
    if cursor is None:
        return None
    try:
        return read_cursor(cursor)
    except BrokenCursor:
        raise ApiError(
            422, "broken-cursor", "The cursor is not one of ours.", "Begin without a cursor."
        ) from None


def customer_view(customer: Customer) -> CustomerView:
    """Return what the API tells of a customer."""
    return CustomerView(
        customer_id=customer.customer_id,
        name=customer.name.value if customer.name else None,
        contact_points=list(customer.contact_points),
        linked_ids=list(customer.members),
        first_seen_at=customer.first_seen_at,
        last_seen_at=customer.last_seen_at,
    )


def entry_view(entry: Entry) -> EntryView:
    """Return what the API tells of an entry."""
    return EntryView(
        id=entry.entry_id,
        kind=entry.kind,
        occurred_at=entry.occurred_at,
        received_at=entry.received_at,
        recorded_at=entry.recorded_at,
        channel=entry.channel,
        conversation_id=entry.conversation_id,
        case_id=entry.case_id,
        case_reference=entry.case_reference,
        opaque=entry.opaque,
        data=dict(entry.data),
    )
