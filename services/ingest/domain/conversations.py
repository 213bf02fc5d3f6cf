"""What ingest remembers of a conversation so that a reply finds its way.

Every field is a maximum, by the events' own times, over what was ever told: hearing facts in
another order, twice, or after an edit of history gives the same conversation. Lists keep the most
recent entries, which of a growing set is the same thing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

MOST_POINTS = 50  # contact points, as many as an event carries
MOST_PAIRS = 100  # of contact points, twice what one event tells
MOST_THREAD = 20  # message ids of 70 characters: References stays below the 2 000 we read ourselves
MOST_FILES = 100  # references of 2 KiB at most: 200 KiB of the document's 16 MiB


@dataclass(frozen=True, slots=True, order=True)
class Told:
    """A value with the time of the fact that told it; the latest counts."""

    at: datetime
    event_id: str
    value: str


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A contact point, when it was last told, and at which place: 0 is the first, -1 the next."""

    at: datetime
    place: int
    value: str


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """Two contact points that one fact told together, so the provider says they are one person's.

    `first` is the first one of that fact.
    """

    at: datetime
    first: str
    other: str


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """A message id of the thread; `place` puts the message that was answered before its answer."""

    at: datetime
    place: int
    message_id: str


@dataclass(frozen=True, slots=True, order=True)
class SharedFile:
    """A file a customer sent, by reference."""

    at: datetime
    reference: str
    media_type: str
    name: str


@dataclass(frozen=True, slots=True)
class Fact:
    """What one event tells of a conversation.

    `from_customer` marks a message of the customer's; `automatic` one that a machine wrote.
    """

    conversation_id: str
    event_id: str
    at: datetime
    provider: str = ""
    account: str = ""
    channel: str = ""
    contact_points: tuple[str, ...] = ()
    reply_to: str | None = None
    subject: str | None = None
    message_id: str | None = None
    in_reply_to: str | None = None
    from_customer: bool = False
    automatic: bool = False
    window_closes_at: datetime | None = None
    case_reference: str | None = None
    files: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation; a field nobody told of yet is None or empty.

    `provider` is empty while only its case is known. `root` is the first message of the thread,
    `thread` the most recent ones, oldest first. `points` are everybody's who was heard in it.
    """

    conversation_id: str
    provider: str = ""
    account: str = ""
    channel: str = ""
    points: tuple[Point, ...] = ()
    pairs: tuple[Pair, ...] = ()
    reply_to: Told | None = None
    subject: Told | None = None
    last_received: Told | None = None
    last_automatic: Told | None = None
    root: Link | None = None
    thread: tuple[Link, ...] = ()
    window_closes_at: datetime | None = None
    case_reference: Told | None = None
    files: tuple[SharedFile, ...] = ()

    @property
    def contact_points(self) -> tuple[str, ...]:
        """Return the contact points of the one person who was heard last, the latest first.

        A colleague, or a stranger who was forwarded our mail, may write into a conversation, too:
        only what facts told together, one with the other, is one person's.
        """
        found: set[str] = set()
        new = {point.value for point in self.points[:1]}
        while new:
            found |= new
            told = [{pair.first, pair.other} for pair in self.pairs]
            new = {value for two in told if two & new for value in two} - found
        return tuple(point.value for point in self.points if point.value in found)

    @property
    def message_ids(self) -> tuple[str, ...]:
        """Return the thread's message ids, oldest first: the very first one, then the last ones."""
        links = (self.root, *self.thread) if self.root else self.thread
        return tuple(dict.fromkeys(link.message_id for link in links))

    @property
    def answers_a_machine(self) -> bool:
        """Say whether the last message that came was written by a machine."""
        received, automatic = self.last_received, self.last_automatic
        return automatic is not None and (received is None or automatic > received)


def hear(conversation: Conversation, fact: Fact) -> Conversation:
    """Return the conversation with what a fact tells of it.

    A fact of another channel account tells nothing: an id belongs to one account, which every door
    checks (`shared.ids.KeyedIds.is_conversation_of`).
    """
    place, other = (conversation.provider, conversation.account), (fact.provider, fact.account)
    if fact.provider and conversation.provider and place != other:
        return conversation

    def told(value: str | None) -> Told | None:
        return Told(fact.at, fact.event_id, value) if value else None

    links = _links(fact)
    return replace(
        conversation,
        provider=conversation.provider or fact.provider,
        account=conversation.account or fact.account,
        channel=max(conversation.channel, fact.channel),
        points=_points(conversation.points, fact),
        pairs=_pairs(conversation.pairs, fact),
        reply_to=_latest(conversation.reply_to, told(fact.reply_to)),
        subject=_latest(conversation.subject, told(fact.subject)),
        last_received=_latest(
            conversation.last_received,
            told(fact.message_id if fact.from_customer and not fact.automatic else None),
        ),
        last_automatic=_latest(
            conversation.last_automatic,
            told(fact.message_id if fact.from_customer and fact.automatic else None),
        ),
        root=min(filter(None, (conversation.root, *links)), default=None),
        thread=_newest_links((*conversation.thread, *links)),
        window_closes_at=_latest(conversation.window_closes_at, fact.window_closes_at),
        case_reference=_latest(conversation.case_reference, told(fact.case_reference)),
        files=_files(conversation.files, fact),
    )


T = TypeVar("T", Told, datetime)


def _latest(known: T | None, new: T | None) -> T | None:
    if known is None or new is None:
        return known or new
    return max(known, new)


def _points(known: tuple[Point, ...], fact: Fact) -> tuple[Point, ...]:
    """Keep each contact point once, as it was told last; the latest first."""
    best: dict[str, Point] = {point.value: point for point in known}
    for place, value in enumerate(fact.contact_points):
        new = Point(fact.at, -place, value)
        best[value] = max(best.get(value, new), new)
    return tuple(sorted(best.values(), reverse=True)[:MOST_POINTS])


def _pairs(known: tuple[Pair, ...], fact: Fact) -> tuple[Pair, ...]:
    """Keep each pair once, as it was told last; the latest first."""
    best = {(pair.first, pair.other): pair for pair in known}
    first, *others = fact.contact_points or ("",)
    for other in others:
        new = Pair(fact.at, first, other)
        best[first, other] = max(best.get((first, other), new), new)
    return tuple(sorted(best.values(), reverse=True)[:MOST_PAIRS])


def _links(fact: Fact) -> tuple[Link, ...]:
    named = ((0, fact.in_reply_to), (1, fact.message_id))
    return tuple(Link(fact.at, place, value) for place, value in named if value)


def _newest_links(links: Iterable[Link]) -> tuple[Link, ...]:
    return tuple(sorted(set(links))[-MOST_THREAD:])


def _files(known: tuple[SharedFile, ...], fact: Fact) -> tuple[SharedFile, ...]:
    new = (SharedFile(fact.at, *file) for file in fact.files)
    return tuple(sorted({*known, *new})[-MOST_FILES:])
