"""What a service author sees of the stream layer: incoming facts, loaded state, effects.

A service gives two functions. `needs(incoming, state)` names the documents a batch has to know;
it is asked again after each load, until it asks for nothing new, so that one document can lead to
the next. `decide(incoming, state, now)` returns the effects; it does no I/O and never waits. The
stream layer applies them in the one transaction that also moves the input position.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.events import Event
from shared.streams.foreign import Decode

Document = dict[str, Any]
"""A MongoDB document with its `_id`."""


@dataclass(frozen=True, slots=True)
class Received:
    """An event as it came from Kafka; `shard` is the input partition that owns what follows."""

    event: Event
    shard: str


@dataclass(frozen=True, slots=True)
class TimerDue:
    """A timer whose time has come: what it is about is in `data`, as it was set."""

    timer_id: str
    kind: str
    due_at: datetime
    data: Mapping[str, Any]
    shard: str


Incoming = Received | TimerDue


@dataclass(frozen=True, slots=True)
class Find:
    """Documents a batch needs: those with these ids, or those that match `where`.

    `where` is a MongoDB filter built from our own values only; `sort` is a list of
    (field, direction); `limit` 0 means all.
    """

    collection: str
    ids: frozenset[str] = frozenset()
    where: tuple[tuple[str, Any], ...] = ()
    sort: tuple[tuple[str, int], ...] = ()
    limit: int = 0

    def key(self) -> Hashable:
        """Return what makes two queries the same one."""
        return repr((self.collection, sorted(self.ids), self.where, self.sort, self.limit))


class State:
    """The documents loaded for a batch, by collection and id."""

    def __init__(self, documents: Mapping[str, Mapping[str, Document]] | None = None) -> None:
        self._documents: dict[str, dict[str, Document]] = {
            collection: dict(found) for collection, found in (documents or {}).items()
        }
        self._asked: dict[str, set[str]] = {}

    def get(self, collection: str, document_id: str) -> Document | None:
        """Return the document, or None if there is none (or nobody asked for it)."""
        return self._documents.get(collection, {}).get(document_id)

    def all(self, collection: str) -> Iterable[Document]:
        """Return every loaded document of a collection, in the order it was found."""
        return self._documents.get(collection, {}).values()

    def is_new(self, collection: str, document_id: str) -> bool:
        """Tell whether the document was asked for by its id and is not there."""
        asked = self._asked.get(collection, ())
        return document_id in asked and document_id not in self._documents.get(collection, {})

    def add(
        self, collection: str, documents: Iterable[Document], asked: frozenset[str] = frozenset()
    ) -> None:
        """Put loaded documents in, and the ids that were asked for; for the stream layer."""
        self._asked.setdefault(collection, set()).update(asked)
        self._documents.setdefault(collection, {}).update(
            (document["_id"], document) for document in documents
        )


@dataclass(frozen=True, slots=True)
class Save:
    """Write this document whole, whether or not one with its `_id` is there."""

    collection: str
    document: Document


@dataclass(frozen=True, slots=True)
class Insert:
    """Add this document unless one with its `_id` is there already, which then stays as it is."""

    collection: str
    document: Document


@dataclass(frozen=True, slots=True)
class Guarded:
    """Update exactly one document; if `where` matches none, the whole batch is decided afresh.

    For limits that must hold even against our own bugs, such as an agent's capacity.
    """

    collection: str
    where: Document
    update: Document


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the document with this id, if it is there."""

    collection: str
    document_id: str


@dataclass(frozen=True, slots=True)
class Count:
    """Something to count in the metric of this name, once the batch has committed."""

    metric: str
    labels: tuple[tuple[str, str], ...]
    amount: float = 1.0


Write = Save | Insert | Guarded | Delete


@dataclass(frozen=True, slots=True)
class Publish:
    """An event to publish to its home topic; `shard` is that of its cause."""

    event: Event
    shard: str


@dataclass(frozen=True, slots=True)
class SetTimer:
    """A timer to set, or to move if one with this id is set already."""

    timer_id: str
    kind: str
    due_at: datetime
    data: Document
    shard: str
    new: bool = False


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """A timer to drop, if it is still set."""

    timer_id: str


@dataclass(slots=True)
class Effects:
    """Everything that follows from a batch, collected while deciding."""

    writes: list[Write] = field(default_factory=list)
    publishes: list[Publish] = field(default_factory=list)
    timers: list[SetTimer | CancelTimer] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)

    def save(self, collection: str, document: Document) -> None:
        """Write a whole document; the last one saved for an id counts."""
        self.writes.append(Save(collection, document))

    def insert(self, collection: str, document: Document) -> None:
        """Add a document unless its `_id` is taken."""
        self.writes.append(Insert(collection, document))

    def guarded(self, collection: str, where: Document, update: Document) -> None:
        """Update one document that must match `where` at the moment of writing."""
        self.writes.append(Guarded(collection, where, update))

    def delete(self, collection: str, document_id: str) -> None:
        """Remove a document."""
        self.writes.append(Delete(collection, document_id))

    def publish(self, event: Event, because: Incoming) -> None:
        """Publish an event because of another; it goes to the topic of its type."""
        self.publishes.append(Publish(event, because.shard))

    def set_timer(
        self,
        timer_id: str,
        kind: str,
        due_at: datetime,
        data: Document,
        because: Incoming,
        *,
        new: bool = False,
    ) -> None:
        """Ask to be called with `TimerDue` at `due_at`; sets anew what has the same id.

        `new` says that no timer with this id is expected to be set: it is cheaper then, and a
        mistake costs only time.
        """
        self.timers.append(SetTimer(timer_id, kind, due_at, data, because.shard, new))

    def cancel_timer(self, timer_id: str) -> None:
        """Drop a timer; dropping one that is gone changes nothing."""
        self.timers.append(CancelTimer(timer_id))

    def count(self, metric: str, **labels: str) -> None:
        """Count an applied transition; a batch that is decided twice counts once."""
        self.counts.append(Count(metric, tuple(labels.items())))


MOST_ROUNDS = 8  # a longer chain of documents is a mistake in `needs`

Needs = Callable[[Sequence[Incoming], State], Iterable[Find]]
Decide = Callable[[Sequence[Incoming], State, datetime], Effects]


# A batch of one costs nearly as much as a batch of fifty: about 5 ms of CPU here, 5 in MongoDB and
# 3 in Kafka. What people wait for (an offer, a timeline) begins at most 25 small batches a second,
# what nobody does (a clock, an index) ten: batches grow, and the CPU is there for those who wait.
BRISK = 0.04
CALM = 0.1


@dataclass(frozen=True, slots=True)
class Processor:
    """A consumer: what it reads, what it must know, what it decides.

    `name` becomes the consumer group and the prefix of its shards, so it is fixed for good.
    `rounds` is how often `needs` is asked: 1 where no document leads to another. `decode` is for
    topics that others write to (foreign.py); without it, records are what the catalogue says.
    `pace` is the seconds from the beginning of one small batch to the next: how long an event may
    wait for company. Where somebody waits for the decision it is short; a lonely event never waits.
    """

    name: str
    topics: tuple[str, ...]
    needs: Needs
    decide: Decide
    rounds: int = MOST_ROUNDS
    decode: Decode | None = None
    pace: float = BRISK
