"""The web chat's histories: what was said in each session, numbered, for whoever reads it later.

Sessions have no document of their own: a session is its entries. Numbers have no gaps, and an
entry is seen by nobody before those with lower numbers are (a unique index, and majority writes).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from services.ingest.domain.chat import Sender, Tail
from services.ingest.domain.text import cut
from services.ingest.senders.contract import File, Outcome, Refused, Reply, Sent
from shared.clock import Clock
from shared.errors import Unavailable
from shared.mongo import Collection, Index

Document = dict[str, Any]

CHAT_MESSAGES = "chat_messages"
KEPT = timedelta(days=90)
"""How long a widget shows what was said; the timeline keeps it for as long as its own rules say."""

CHAT_COLLECTIONS = (
    Collection(
        CHAT_MESSAGES,
        (
            Index((("session", 1), ("seq", 1)), unique=True),
            Index((("at", 1),), expire_after=KEPT),
        ),
    ),
)

PAGE = 50  # entries read at once: with the longest texts 800 KB, usually 10 KB
_READERS = 8  # at once; leaves most of the pool of 20 connections to those who write
_ATTEMPTS = 20  # as many as write to one session at the same moment, which are two or three


class ChatDatabase(Protocol):
    """The part of `shared.mongo.Database` that the chat needs."""

    async def find(
        self,
        collection: str,
        where: Mapping[str, Any],
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
    ) -> list[Document]:
        """Return the documents that match, in order."""
        ...

    async def insert(self, collection: str, document: Document) -> bool:
        """Add a document; return False if its `_id` or number is taken."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a session's history.

    `kind` is `message`, `form` (an address was left) or `ended`. `open` says whether the
    interaction goes on after it.
    """

    session: str
    id: str
    seq: int
    interaction: int
    open: bool
    kind: Literal["message", "form", "ended"]
    sender: Sender
    at: datetime
    text: str = ""
    files: tuple[File, ...] = field(default=())


def to_document(entry: Entry) -> Document:
    """Return the document of an entry; visitors' ids and ours cannot be taken for each other."""
    return {
        "_id": _key(entry.session, entry.sender, entry.id),
        "session": entry.session,
        "id": entry.id,
        "seq": entry.seq,
        "interaction": entry.interaction,
        "open": entry.open,
        "kind": entry.kind,
        "sender": entry.sender,
        "at": entry.at,
        "text": entry.text,
        "files": [
            {"reference": one.reference, "media_type": one.media_type, "name": one.name}
            for one in entry.files
        ],
    }


def from_document(document: Document) -> Entry:
    """Return the entry of a document."""
    fields = {name: value for name, value in document.items() if name != "_id"}
    return Entry(**{**fields, "files": tuple(File(**one) for one in document["files"])})


def _key(session: str, sender: Sender, entry_id: str) -> str:
    return f"{session}/{'v' if sender == 'visitor' else 'r'}/{entry_id}"


class ChatStore:
    """Reads and writes the histories."""

    def __init__(self, database: ChatDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._reading = asyncio.Semaphore(_READERS)

    async def tail(self, session: str) -> Tail:
        """Return where a session's history ends."""
        where = {"session": {"$eq": session}}
        found = await self._database.find(CHAT_MESSAGES, where, sort=[("seq", -1)], limit=1)
        if not found:
            return Tail()
        last = from_document(found[0])
        return Tail(last.seq, last.interaction, last.open, last.at)

    async def find(self, session: str, sender: Sender, entry_id: str) -> Entry | None:
        """Return an entry by its own id, or None."""
        where = {"_id": {"$eq": _key(session, sender, entry_id)}}
        found = await self._database.find(CHAT_MESSAGES, where, limit=1)
        return from_document(found[0]) if found else None

    async def after(self, session: str, seq: int) -> list[Entry]:
        """Return the next entries after a number, at most `PAGE`, in order."""
        where = {"session": {"$eq": session}, "seq": {"$gte": seq + 1}}
        async with self._reading:
            found = await self._database.find(CHAT_MESSAGES, where, sort=[("seq", 1)], limit=PAGE)
        return [from_document(document) for document in found]

    async def append(self, session: str, write: Callable[[Tail], Entry]) -> Entry:
        """Add the entry that `write` makes for the end of the history; return it as it stands.

        An id that is there already changes nothing. Raises `Unavailable`.
        """
        taken = 0
        for attempt in range(_ATTEMPTS):
            tail = await self.tail(session)
            entry = write(Tail(max(tail.seq, taken), tail.interaction, tail.open, tail.at))
            if await self._database.insert(CHAT_MESSAGES, to_document(entry)):
                return entry
            if known := await self.find(session, entry.sender, entry.id):
                return known
            taken = entry.seq  # by somebody whom a majority does not know yet
            await asyncio.sleep(0.01 * attempt)
        raise Unavailable("A chat session is written to by too many at once.", "Try again.")

    async def deliver(self, reply: Reply) -> Outcome:
        """Put a reply into its session's history, from where every open widget gets it at once.

        This is how a reply leaves by web chat, once its sender has found that it can be shown.
        Delivering the same `reply_id` again changes nothing, so it may be repeated whenever the
        outcome is unknown (`Unavailable`). A visitor who is away finds it on coming back.
        """
        session = reply.reply_to or ""
        if (await self.tail(session)).seq == 0:
            return Refused("the chat session is not kept any more")
        entry = await self.append(session, lambda tail: self._reply(session, reply, tail))
        return Sent(entry.id)

    def _reply(self, session: str, reply: Reply, tail: Tail) -> Entry:
        return Entry(
            session=session,
            id=reply.reply_id,
            seq=tail.seq + 1,
            interaction=tail.interaction,
            open=tail.open,
            kind="message",
            sender=reply.sender,
            at=self._clock.now(),
            text=cut(reply.text.strip())[0],
            files=reply.files,
        )
