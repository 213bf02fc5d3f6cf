"""What the profile service keeps, how it is found, and nothing else: every filter is built here.

Collections: `customers` (one per contact point, by its id), `links` (evidence that two contact
points are one person's) and `timeline` (one entry per fact, never rewritten).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from services.profile.domain.identity import Link
from services.profile.domain.profile import Customer, Name
from services.profile.domain.timeline import Cursor, Entry
from shared.mongo import Collection, Index

Document = dict[str, Any]

CUSTOMERS = "customers"
LINKS = "links"
TIMELINE = "timeline"

COLLECTIONS = (
    Collection(
        CUSTOMERS,  # for the list of those most recently seen
        (Index((("merged_into", 1), ("last_seen_at", -1), ("first_seen_at", -1))),),
    ),
    Collection(LINKS),
    Collection(TIMELINE, (Index((("customer_id", 1), ("occurred_at", -1), ("_id", -1))),)),
)

_NEWEST_FIRST = (("occurred_at", -1), ("_id", -1))
_RECENTLY_SEEN = (("last_seen_at", -1), ("first_seen_at", -1))
_RECORDED_ORDER = (("recorded_at", 1), ("_id", 1))


class Reads(Protocol):
    """The part of `shared.mongo.Database` that reading needs."""

    async def find_one(self, collection: str, where: Mapping[str, Any]) -> Document | None:
        """Return one document that matches, or None."""
        ...

    async def find(
        self,
        collection: str,
        where: Mapping[str, Any],
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
    ) -> list[Document]:
        """Return the documents that match, in order; `limit` 0 means all."""
        ...


async def find_customer(database: Reads, customer_id: str) -> Customer | None:
    """Return the customer that stands for this id, or None if nobody has it."""
    document = await database.find_one(CUSTOMERS, {"_id": {"$eq": customer_id}})
    if document is not None and document["merged_into"] is not None:
        document = await database.find_one(CUSTOMERS, {"_id": {"$eq": document["merged_into"]}})
        if document is not None and document["merged_into"] is not None:  # merged in between
            return await find_customer(database, document["merged_into"])
    return customer_from(document) if document is not None else None


async def recently_seen(database: Reads, limit: int) -> list[Customer]:
    """Return the customers that contacted us last, most recent first."""
    where = {"merged_into": {"$eq": None}, "last_seen_at": {"$ne": None}}
    found = await database.find(CUSTOMERS, where, _RECENTLY_SEEN, limit)
    return [customer_from(document) for document in found]


async def read_timeline(
    database: Reads, members: Sequence[str], after: Cursor | None, limit: int
) -> list[Entry]:
    """Return the newest entries of a customer's members, or those that follow a cursor."""
    where: Document = {"customer_id": {"$in": list(members)}}
    if after is not None:
        where["occurred_at"] = {"$lte": after.occurred_at}
        where["$or"] = [
            {"occurred_at": {"$lt": after.occurred_at}},
            {"_id": {"$lt": after.entry_id}},
        ]
    return [
        entry_from(document)
        for document in await database.find(TIMELINE, where, _NEWEST_FIRST, limit)
    ]


async def recorded_since(
    database: Reads, members: Sequence[str], since: datetime, limit: int
) -> list[Entry]:
    """Return the entries put on a timeline at or after a time, in that order."""
    where = {"customer_id": {"$in": list(members)}, "recorded_at": {"$gte": since}}
    return [
        entry_from(document)
        for document in await database.find(TIMELINE, where, _RECORDED_ORDER, limit)
    ]


def customer_document(customer: Customer) -> Document:
    """Return what is stored of a customer."""
    name = customer.name
    return {
        "_id": customer.customer_id,
        "contact_point": customer.contact_point,
        "contact_points": list(customer.contact_points),
        "members": list(customer.members),
        "merged_into": customer.merged_into,
        "name": name and {"rank": name.rank, "at": name.at, "value": name.value},
        "first_seen_at": customer.first_seen_at,
        "last_seen_at": customer.last_seen_at,
    }


def customer_from(document: Mapping[str, Any]) -> Customer:
    """Return the customer a document holds."""
    name = document["name"]
    return Customer(
        document["_id"],
        document["contact_point"],
        tuple(document["contact_points"]),
        tuple(document["members"]),
        document["merged_into"],
        name and Name(name["rank"], name["at"], name["value"]),
        document["first_seen_at"],
        document["last_seen_at"],
    )


def link_document(link: Link) -> Document:
    """Return what is stored of a link."""
    return {
        "_id": link.link_id,
        "kind": link.kind,
        "customer_ids": list(link.customer_ids),
        "contact_points": list(link.contact_points),
        "evidence": link.evidence,
        "occurred_at": link.occurred_at,
        "parked": link.parked,
    }


def link_from(document: Mapping[str, Any]) -> Link:
    """Return the link a document holds."""
    one, other = document["customer_ids"]
    first, second = document["contact_points"]
    return Link(
        document["_id"],
        document["kind"],
        (one, other),
        (first, second),
        document["evidence"],
        document["occurred_at"],
        document["parked"],
    )


def entry_document(entry: Entry) -> Document:
    """Return what is stored of an entry; fields that say nothing are left out."""
    document: Document = {
        "_id": entry.entry_id,
        "customer_id": entry.customer_id,
        "kind": entry.kind,
        "occurred_at": entry.occurred_at,
        "recorded_at": entry.recorded_at,
        "data": entry.data,
    }
    if entry.received_at is not None:
        document["received_at"] = entry.received_at
    if entry.conversation_id is not None:
        document["channel"] = entry.channel
        document["conversation_id"] = entry.conversation_id
    if entry.case_id is not None:
        document["case_id"] = entry.case_id
    if entry.case_reference is not None:
        document["case_reference"] = entry.case_reference
    if entry.opaque:
        document["opaque"] = True
    return document


def entry_from(document: Mapping[str, Any]) -> Entry:
    """Return the entry a document holds; what was kept as JSON text is read back."""
    data = dict(document["data"])
    if "raw" in data:
        data["raw"] = json.loads(data["raw"])
    opaque = document.get("opaque", False)
    return Entry(
        entry_id=document["_id"],
        customer_id=document["customer_id"],
        kind=document["kind"],
        occurred_at=document["occurred_at"],
        received_at=document.get("received_at"),
        recorded_at=document["recorded_at"],
        channel=document.get("channel"),
        conversation_id=document.get("conversation_id"),
        case_id=document.get("case_id"),
        case_reference=document.get("case_reference"),
        data=data["raw"] or {} if opaque else data,
        opaque=opaque,
    )
