"""What changes on WhatsApp: messages edited, revoked or reacted to, and a customer's own ids."""

from typing import Any

from services.ingest.adapters.building import Builder, kept_whole
from services.ingest.adapters.json_parts import Translation, fingerprint
from services.ingest.adapters.whatsapp_content import text_of
from services.ingest.adapters.whatsapp_customer import Customer, common_of, sender_of
from services.ingest.adapters.whatsapp_parts import Part
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import short
from shared.events import Event
from shared.events.contact import (
    ContactPointChanged,
    MessageDeleted,
    MessageEdited,
    MessageReacted,
)


def correction(
    builder: Builder, part: Part, own_id: str, original: str, customer: Customer
) -> Event:
    """Return the new text of a message, or that it was revoked."""
    common = common_of(builder, part, customer)
    if string_at(part.body, "type") == "revoke":
        return builder.event(MessageDeleted, own_id, **common, message_id=original)
    message = object_at(part.body, "edit", "message")
    text, _ = text_of(message, string_at(message, "type") or "unknown")
    return builder.event(MessageEdited, own_id, **common, message_id=original, text=text)


def reaction(builder: Builder, part: Part, own_id: str, original: str, customer: Customer) -> Event:
    """Return a reaction; one without an emoji takes the customer's earlier one back."""
    emoji = short(string_at(part.body, "reaction", "emoji"))
    common = common_of(builder, part, customer)
    told: dict[str, Any] = {"message_id": original, "reaction": emoji, "removed": emoji is None}
    return builder.event(MessageReacted, own_id, **common, **told)


def system_changes(builder: Builder, part: Part, own_id: str) -> list[Event]:
    """Return how a customer's ids changed: the number, the BSUID, or both."""
    system, sender = object_at(part.body, "system"), sender_of(part)
    before = Customer(
        bsuid=string_at(system, "previous_user_id"),
        parent=string_at(system, "previous_parent_user_id"),
        phone=sender.phone,
    )
    after = Customer(
        bsuid=string_at(system, "user_id"),
        parent=string_at(system, "parent_user_id"),
        phone=string_at(system, "wa_id") or string_at(system, "new_wa_id"),
    )
    if before.bsuid is None and sender.bsuid != after.bsuid:
        before = Customer(sender.bsuid, before.parent, before.phone)
    return _changed(builder, part, own_id, before, after)


def updated_ids(builder: Builder, part: Part) -> Translation:
    """Return how the ids changed that a `user_id_update` names, each as `previous`, `current`."""
    before, after = (
        Customer(
            bsuid=string_at(part.body, "user_id", which),
            parent=string_at(part.body, "parent_user_id", which),
        )
        for which in ("previous", "current")
    )
    return _changed(builder, part, f"user_id_update/{fingerprint(part.body)}", before, after)


def _changed(
    builder: Builder, part: Part, own_id: str, before: Customer, after: Customer
) -> list[Event]:
    portfolio = builder.account.options["portfolio"]
    pairs = [
        (Customer(**{name: old}), Customer(**{name: new}), name)
        for name in ("bsuid", "parent", "phone")
        if (old := getattr(before, name)) and (new := getattr(after, name)) and old != new
    ]
    if not pairs:
        return []
    common: dict[str, Any] = common_of(builder, part, before)
    common["contact_points"] = after.contact_points(portfolio)
    common["reply_to"] = after.address()
    return [
        builder.event(
            ContactPointChanged,
            f"{own_id}/{name}",
            **common,
            previous=old.contact_points(portfolio)[0],
            current=new.contact_points(portfolio)[0],
            raw=kept_whole(part.body),
        )
        for old, new, name in pairs
    ]
