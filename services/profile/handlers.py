"""From events to identities, timeline entries and profile events: load, decide, save."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache, partial

from services.profile import store
from services.profile.domain.identity import (
    Evidence,
    Identities,
    Link,
    Linked,
    Member,
    link_ids,
)
from services.profile.domain.profile import Customer
from services.profile.facts import Fact, read_entry, read_fact
from shared.events.customers import (
    CustomerIdentified,
    CustomerIdentifiedData,
    CustomersLinked,
    CustomersLinkedData,
)
from shared.events.topics import CONTACT_TOPIC, CUSTOMER_RECORDS_TOPIC, ROUTING_TOPIC, SLA_TOPIC
from shared.ids import KeyedIds
from shared.streams import Effects, Find, Incoming, Processor, Received, State
from shared.streams.effects import Count

NAME = "profile"
TOPICS = (
    CONTACT_TOPIC.name,
    CUSTOMER_RECORDS_TOPIC.name,
    ROUTING_TOPIC.name,
    SLA_TOPIC.name,
)
SOURCE = "/profile"
_REMEMBERED_IDS = 16_384  # contact points repeat within minutes; about 4 MB


class Handlers:
    """Decides whose every fact is, and puts it on the timeline."""

    def __init__(self, ids: KeyedIds) -> None:
        self._customer_id = lru_cache(_REMEMBERED_IDS)(ids.customer_id)

    def processor(self) -> Processor:
        """Return the consumer of everything that belongs on a timeline."""
        return Processor(NAME, TOPICS, self.needs, self.decide)

    def needs(self, incoming: Sequence[Incoming], state: State) -> Iterable[Find]:
        """Ask for the customers and links a batch names, then for all that stand behind them."""
        groups = [
            (tuple(map(self._customer_id, fact.contact_points)), fact.link_kind)
            for _, fact in _facts(incoming)
            if fact is not None
        ]
        named = frozenset(customer_id for group, _ in groups for customer_id in group)
        linking = [(group, kind) for group, kind in groups if kind is not None and len(group) > 1]
        yield from _find(store.CUSTOMERS, named)
        yield from _find(
            store.LINKS,
            frozenset(each for group, kind in linking for each in link_ids(kind, group)),
        )
        yield from _find(store.CUSTOMERS, _standing_ids(named, state) - named)
        yield from _find(
            store.CUSTOMERS, _to_repoint((group for group, _ in linking), state) - named
        )

    def decide(self, incoming: Sequence[Incoming], state: State, now: datetime) -> Effects:
        """Fold a batch into identities, profile events and timeline entries."""
        effects = Effects()
        people = Identities(partial(_customer, state), partial(_link, state))
        channels: Counter[str] = Counter()
        for item, fact in _facts(incoming):
            if fact is None:  # on nobody's timeline: it names nobody
                effects.count("opaque_events_skipped_total")
                continue
            members = [Member(self._customer_id(each), each) for each in fact.contact_points]
            for member in members:
                if people.meet(member):
                    _identified(effects, item, member)
            people.note(members[0].customer_id, fact.name, fact.at if fact.contacted else None)
            if fact.link_kind is not None and len(members) > 1:
                because = Evidence(item.event.id, fact.link_kind, fact.at)
                _linked(effects, item, fact.link_kind, people.link(members, because))
            entry = read_entry(item.event, fact, members[0].customer_id, now)
            effects.insert(store.TIMELINE, store.entry_document(entry))
            channels[entry.channel or "none"] += 1
        _save(effects, people)
        for channel, number in channels.items():
            effects.counts.append(
                Count("timeline_entries_total", (("channel", channel),), float(number))
            )
        return effects


def _facts(incoming: Sequence[Incoming]) -> Iterator[tuple[Received, Fact | None]]:
    return ((item, read_fact(item.event)) for item in incoming if isinstance(item, Received))


def _find(collection: str, ids: frozenset[str]) -> Iterator[Find]:
    if ids:
        yield Find(collection, ids)


def _standing_ids(customer_ids: Iterable[str], state: State) -> frozenset[str]:
    return frozenset(_standing_id(customer_id, state) for customer_id in customer_ids)


def _standing_id(customer_id: str, state: State) -> str:
    document = state.get(store.CUSTOMERS, customer_id)
    return customer_id if document is None else document["merged_into"] or customer_id


def _to_repoint(groups: Iterable[tuple[str, ...]], state: State) -> frozenset[str]:
    """Return the members of all customers that a batch may make one, to be pointed anew."""
    meeting = (_standing_ids(group, state) for group in groups)
    documents = (
        state.get(store.CUSTOMERS, standing_id)
        for standing in meeting
        if len(standing) > 1
        for standing_id in standing
    )
    return frozenset(
        member for document in documents if document is not None for member in document["members"]
    )


def _customer(state: State, customer_id: str) -> Customer | None:
    document = state.get(store.CUSTOMERS, customer_id)
    return None if document is None else store.customer_from(document)


def _link(state: State, link_id: str) -> Link | None:
    document = state.get(store.LINKS, link_id)
    return None if document is None else store.link_from(document)


def _save(effects: Effects, people: Identities) -> None:
    for customer in people.changed_customers():
        effects.save(store.CUSTOMERS, store.customer_document(customer))
    for link in people.changed_links():
        effects.save(store.LINKS, store.link_document(link))
    for link in people.parked:
        effects.count("links_parked_total", kind=link.kind)


def _identified(effects: Effects, because: Received, member: Member) -> None:
    effects.publish(
        CustomerIdentified.following(
            because.event.id,
            CustomerIdentifiedData(
                customer_id=member.customer_id, contact_point=member.contact_point
            ),
            source=SOURCE,
            time=because.event.time,
            key=member.customer_id,
            about=member.customer_id,
        ),
        because,
    )
    effects.count("customers_identified_total", scheme=member.contact_point.partition(":")[0])


def _linked(effects: Effects, because: Received, kind: str, linked: Linked | None) -> None:
    if linked is None:
        return
    customer = linked.customer
    effects.publish(
        CustomersLinked.following(
            because.event.id,
            CustomersLinkedData(
                customer_id=customer.customer_id,
                linked_ids=linked.linked_ids,
                contact_points=customer.contact_points,
            ),
            source=SOURCE,
            time=because.event.time,
            key=customer.customer_id,
        ),
        because,
    )
    effects.count("customers_linked_total", kind=kind)
