"""What becomes of what a visitor says: first durable as contact events, then in the history.

In that order, so that whatever a widget shows as sent is safe. Breaking off anywhere in between
leaves nothing wrong: the widget sends the same id again, and that gives the same events.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from services.ingest.accounts import Door
from services.ingest.adapters.request import RawRequest
from services.ingest.adapters.webchat import HEADER
from services.ingest.chat.store import ChatStore, Entry
from services.ingest.domain.chat import Finished, LeftAddress, Said, Tail, engage, session_id
from services.ingest.handlers import Intake

_LOCKS = 256  # sessions share one now and then; holding it takes milliseconds


@dataclass(frozen=True, slots=True)
class Visit:
    """One visitor's session at one channel account."""

    door: Door
    session: str
    locale: str | None = None


class ChatSessions:
    """Takes what visitors say. Every method raises `Unavailable` when it is not known to be safe.

    Within a process one thing at a time happens to a session. Between processes only numbers
    could collide, which the history sorts out.
    """

    def __init__(self, intake: Intake, store: ChatStore) -> None:
        self._intake, self._store = intake, store
        self._locks = tuple(asyncio.Lock() for _ in range(_LOCKS))

    def visit(self, door: Door, token: str, locale: str | None) -> Visit:
        """Return whose session a token opens; it need not have been seen before."""
        return Visit(door, session_id(door.account.name, token), locale)

    async def say(self, visit: Visit, said: Said) -> Entry:
        """Take a message; return its entry, the one there is if it came before."""
        async with self._lock(visit):
            if known := await self._store.find(visit.session, "visitor", said.id):
                return known
            now = self._intake.clock.now()
            begun = engage(await self._store.tail(visit.session), now)
            if begun.lapsed is not None:
                await self._accept(
                    visit, now, type="ended", interaction=begun.lapsed, reason="timeout"
                )
            # the message before the start: the case that is opened by it should know its words
            await self._accept(visit, now, type="message", id=said.id, text=said.text)
            if begun.begins:
                await self._accept(visit, now, type="started", interaction=begun.number)
            write = _writer(visit, said.id, "message", said.text, now, begun.number, goes_on=True)
            return await self._store.append(visit.session, write)

    async def leave_address(self, visit: Visit, left: LeftAddress) -> Entry:
        """Take the form for when nobody is there; it begins no interaction."""
        async with self._lock(visit):
            if known := await self._store.find(visit.session, "visitor", left.id):
                return known
            now = self._intake.clock.now()
            form = {"contact_point": left.contact_point, "text": left.text, "name": left.name}
            await self._accept(visit, now, type="offline", id=left.id, **form)
            write = _writer(visit, left.id, "form", left.text, now)
            return await self._store.append(visit.session, write)

    async def finish(
        self, visit: Visit, finished: Finished | None = None, reason: str = "completed"
    ) -> Entry | None:
        """End the interaction that goes on; return its last entry, None if none goes on.

        Like everything a visitor sends, an id that came before changes nothing.
        """
        async with self._lock(visit):
            if finished and (
                known := await self._store.find(visit.session, "visitor", finished.id)
            ):
                return known
            tail = await self._store.tail(visit.session)
            if not tail.open:
                return None
            now = self._intake.clock.now()
            number = tail.interaction
            await self._accept(visit, now, type="ended", interaction=number, reason=reason)
            # the dot, which no id of a visitor's may have, keeps ours apart from theirs
            own_id = finished.id if finished else f"ended.{number}"
            write = _writer(visit, own_id, "ended", "", now, number, goes_on=False)
            return await self._store.append(visit.session, write)

    def conversation_id(self, visit: Visit) -> str:
        """Return the conversation of a session, as its events name it."""
        account = visit.door.account
        return self._intake.ids.conversation_id(account.provider, account.name, visit.session)

    def _lock(self, visit: Visit) -> asyncio.Lock:
        return self._locks[hash(visit.session) % _LOCKS]

    async def _accept(self, visit: Visit, now: datetime, **frame: Any) -> None:
        stamped = {"session": visit.session, "at": now.isoformat(), "locale": visit.locale, **frame}
        body = json.dumps(stamped, ensure_ascii=False).encode()
        headers = (("content-type", b"application/json"), (HEADER, visit.session.encode()))
        await self._intake.accept(visit.door, RawRequest(body, headers))


def _writer(
    visit: Visit,
    own_id: str,
    kind: Literal["message", "form", "ended"],
    text: str,
    now: datetime,
    interaction: int | None = None,
    goes_on: bool | None = None,
) -> Callable[[Tail], Entry]:
    """Return what makes the entry; without a word on the interaction it leaves that as it is."""

    def write(tail: Tail) -> Entry:
        return Entry(
            session=visit.session,
            id=own_id,
            seq=tail.seq + 1,
            interaction=tail.interaction if interaction is None else interaction,
            open=tail.open if goes_on is None else goes_on,
            kind=kind,
            sender="visitor",
            at=now,
            text=text,
        )

    return write
