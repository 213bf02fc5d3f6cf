"""Who a WhatsApp message is from or for: the ids that one part of a notification tells."""

import re
from dataclasses import dataclass
from typing import Any

from services.ingest.adapters.building import Builder, from_unix
from services.ingest.adapters.contract import Broken
from services.ingest.adapters.payloads.whatsapp_parts import Part
from services.ingest.domain.json_fields import list_at, string_at
from services.ingest.domain.text import short
from shared.contact_points import contact_point

_BSUID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


@dataclass(frozen=True, slots=True)
class Customer:
    """The ids of one customer, as far as they are told."""

    bsuid: str | None = None
    parent: str | None = None
    phone: str | None = None

    def conversation(self) -> tuple[str, ...]:
        """Return what names the conversation, or raise `Broken` without any id."""
        identity = self.bsuid or self.parent or self.phone
        if identity is None:
            raise Broken("no id of the customer")
        return (identity,)

    def address(self) -> str | None:
        """Return where to answer: Meta asks for the number where it is known."""
        return self.phone or self.bsuid or self.parent

    def contact_points(self, portfolio: str) -> tuple[str, ...]:
        """Return the contact points, the best first; Meta's ids are scoped by the portfolio."""
        scoped = [
            contact_point("whatsapp", f"{portfolio}/{i}") for i in (self.bsuid, self.parent) if i
        ]
        numbers = [contact_point("tel", self.phone)] if self.phone else []
        return (*scoped, *numbers)


def sender_of(part: Part) -> Customer:
    """Return who wrote a message."""
    return customer_of(
        part,
        bsuid=string_at(part.body, "from_user_id"),
        parent=string_at(part.body, "from_parent_user_id"),
        phone=string_at(part.body, "from"),
    )


def recipient_of(part: Part, phone: str = "to") -> Customer:
    """Return to whom something of ours went; `phone` is the field with the number."""
    prefix = "to" if phone == "to" else "recipient"
    return customer_of(
        part,
        bsuid=string_at(part.body, f"{prefix}_user_id"),
        parent=string_at(part.body, f"{prefix}_parent_user_id"),
        phone=string_at(part.body, phone),
    )


def customer_of(
    part: Part, *, bsuid: str | None, parent: str | None, phone: str | None
) -> Customer:
    """Complete the ids from the contact the payload lists beside the message."""
    if phone and _BSUID.fullmatch(phone):  # seen where the number is hidden
        bsuid, phone = bsuid or phone, None
    contact = contact_of(part, Customer(bsuid, parent, phone))
    listed = string_at(contact, "wa_id")
    return Customer(
        bsuid=bsuid or string_at(contact, "user_id"),
        parent=parent or string_at(contact, "parent_user_id"),
        phone=phone or (listed if listed and not _BSUID.fullmatch(listed) else None),
    )


def contact_of(part: Part, customer: Customer) -> dict[str, Any]:
    """Return the listed contact that is this customer; never that of another one."""
    if contact := part.contacts.of(customer.bsuid, customer.phone):
        return contact
    nobody_named = not (customer.bsuid or customer.parent or customer.phone)
    alone = part.contacts.alone() if len(list_at(part.value, part.kind)) == 1 else None
    return alone or {} if nobody_named else {}


def common_of(builder: Builder, part: Part, customer: Customer) -> dict[str, Any]:
    """Return what every event tells: whose it is, when, and where to answer."""
    contact = contact_of(part, customer)
    return {
        "conversation": customer.conversation(),
        "channel": "messaging",
        "occurred_at": from_unix(string_at(part.body, "timestamp")),
        "contact_points": customer.contact_points(builder.account.options["portfolio"]),
        "reply_to": customer.address(),
        "display_name": short(
            string_at(contact, "profile", "name")
            or string_at(contact, "profile", "username")
            or string_at(contact, "username")
        ),
    }
