"""From events to identities, timeline entries and profile events: load, decide, save."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import NamedTuple

from services.profile import store
from services.profile.domain.identity import (
    Evidence,
    Identities,
    Link,
    Linked,
    Member,
    link_ids,
)
from services.profile.domain.knowledge import Knowledge
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
    """Decides whose every fact is, and puts it on the timeline; for one database."""

    def __init__(self, ids: KeyedIds) -> None:
        self._customer_id = lru_cache(_REMEMBERED_IDS)(ids.customer_id)
        self._knowledge = Knowledge()

    def processor(self) -> Processor:
        """Return the consumer of everything that belongs on a timeline."""
        return Processor(NAME, TOPICS, self.needs, self.decide)

    def needs(self, incoming: Sequence[Incoming], state: State) -> Iterable[Find]:
        """Ask for the customers and links a batch names, then for all that stand behind them.

        Nothing is asked for facts that tell nothing new: the store would say so too.
        """
        news = [told for told in self._read(incoming) if told.is_news]
        named = frozenset(customer_id for told in news for customer_id in told.customer_ids)
        linking = [(told.customer_ids, told.link_kind) for told in news if told.link_kind]
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
        for told in self._read(incoming):
            if told.is_news:
                _identify(effects, people, told)
            entry = read_entry(told.item.event, told.fact, told.customer_ids[0], now)
            effects.insert(store.TIMELINE, store.entry_document(entry))
            channels[entry.channel or "none"] += 1
        skipped = sum(isinstance(item, Received) for item in incoming) - sum(channels.values())
        _save(effects, people)
        _count(effects, channels, skipped)
        self._learn(state, now)
        return effects

    def _read(self, incoming: Sequence[Incoming]) -> Iterator["_Told"]:
        """Yield what the events tell, without those of unknown type that name nobody."""
        for item in incoming:
            fact = read_fact(item.event) if isinstance(item, Received) else None
            if fact is None or not isinstance(item, Received):
                continue
            ids = tuple(map(self._customer_id, fact.contact_points))
            kind = fact.link_kind if len(ids) > 1 else None
            covered = self._knowledge.covers(ids, fact.name, fact.at if fact.contacted else None)
            if covered and kind is not None:
                because = Evidence(item.event.id, kind, fact.at)
                covered = self._knowledge.covers_link(ids, because)
            yield _Told(item, fact, ids, kind, not covered)

    def _learn(self, state: State, now: datetime) -> None:
        """Remember what was read (and so is committed), never what is only about to be written."""
        loaded = {document["_id"]: document for document in state.all(store.CUSTOMERS)}
        customers = [
            (customer_id, store.customer_from(loaded[document["merged_into"] or customer_id]))
            for customer_id, document in loaded.items()
            if document["merged_into"] is None or document["merged_into"] in loaded
        ]
        links = [store.link_from(document) for document in state.all(store.LINKS)]
        self._knowledge.learn(customers, links, now)


class _Told(NamedTuple):
    """An event, what it says, and whether that can change anything about identity."""

    item: Received
    fact: Fact
    customer_ids: tuple[str, ...]
    link_kind: str | None
    is_news: bool


def _identify(effects: Effects, people: Identities, told: _Told) -> None:
    item, fact = told.item, told.fact
    members = [
        Member(customer_id, contact_point)
        for customer_id, contact_point in zip(told.customer_ids, fact.contact_points, strict=True)
    ]
    for member in members:
        if people.meet(member):
            _identified(effects, item, member)
    people.note(members[0].customer_id, fact.name, fact.at if fact.contacted else None)
    if told.link_kind is not None:
        because = Evidence(item.event.id, told.link_kind, fact.at)
        _linked(effects, item, told.link_kind, people.link(members, because))


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


def _count(effects: Effects, channels: Counter[str], skipped: int) -> None:
    for channel, number in channels.items():
        labels = (("channel", channel),)
        effects.counts.append(Count("timeline_entries_total", labels, float(number)))
    if skipped:
        effects.counts.append(Count("opaque_events_skipped_total", (), float(skipped)))


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
