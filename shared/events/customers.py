"""Customer records (what a CRM or shop knows) and profile events (what we decided from it)."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.events.contact_data import FormField, ShortText
from shared.events.envelope import ContactPoint, Event, Id, Moment, Record


class Purchase(Record):
    """Something a customer bought: its number in the system of record, what, and when.

    `amount` is the price as text with its currency, such as `39.90 EUR`: shown, never added up.
    """

    purchase_id: Id
    what: ShortText
    bought_at: Moment
    amount: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None


class CustomerRecordedData(Record):
    """What a system of record says of one customer.

    All `contact_points` belong to the same person on that system's word, so they are linked; the
    first one is the key. `verified` are those of them that the customer has proved to be theirs,
    say by a link in an e-mail. `recorded_at` is when the system of record last changed it.
    """

    contact_points: Annotated[tuple[ContactPoint, ...], Field(min_length=1, max_length=50)]
    name: ShortText | None = None
    locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    fields: Annotated[tuple[FormField, ...], Field(max_length=200)] = ()
    purchases: Annotated[tuple[Purchase, ...], Field(max_length=200)] = ()
    verified: Annotated[tuple[ContactPoint, ...], Field(max_length=50)] = ()
    recorded_at: Moment
    received_at: Moment


class CustomerRecorded(Event):
    """A system of record told us about a customer."""

    type: Literal["throughline.customer.recorded.v1"] = "throughline.customer.recorded.v1"
    data: CustomerRecordedData


class CustomerIdentifiedData(Record):
    """Whose a contact point is."""

    customer_id: Id
    contact_point: ContactPoint


class CustomerIdentified(Event):
    """A contact point was seen for the first time and has a customer now."""

    type: Literal["throughline.customer.identified.v1"] = "throughline.customer.identified.v1"
    data: CustomerIdentifiedData


class CustomersLinkedData(Record):
    """Which customers turned out to be one: `customer_id` is the one that stands for all."""

    customer_id: Id
    linked_ids: Annotated[tuple[Id, ...], Field(min_length=1)]
    contact_points: Annotated[tuple[ContactPoint, ...], Field(min_length=2)]


class CustomersLinked(Event):
    """Two customers turned out to be the same person."""

    type: Literal["throughline.customers.linked.v1"] = "throughline.customers.linked.v1"
    data: CustomersLinkedData


CUSTOMER_RECORDS = (CustomerRecorded,)
PROFILE_EVENTS = (CustomerIdentified, CustomersLinked)
