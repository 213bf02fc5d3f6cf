"""What a Zendesk event tells of its ticket: whose it is, who wrote, over which channel."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from services.ingest.adapters.building import from_iso
from services.ingest.adapters.contract import Broken
from services.ingest.adapters.payloads.helpdesks import Person, file, person
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import clean, short

CHANNELS = {
    "email": "email",
    "sms": "sms",
    "voice": "voice",
    "chat": "chat",
    "native_messaging": "chat",
    "web_messaging": "chat",
    "mobile_sdk": "chat",
    "whatsapp": "messaging",
    "telegram": "messaging",
    "line": "messaging",
    "viber": "messaging",
    "facebook": "social",
    "twitter": "social",
    "twitter_dm": "social",
    "instagram_dm": "social",
    "web_form": "form",
}
OTHER_CHANNEL = "portal"
_OPENING = timedelta(minutes=1)  # a first comment is written with its ticket


@dataclass
class Ticket:
    """One event about one ticket."""

    event: dict[str, Any]

    @cached_property
    def detail(self) -> dict[str, Any]:
        """The ticket."""
        return object_at(self.event, "detail")

    @cached_property
    def comment(self) -> dict[str, Any]:
        """The comment that the event is about, if any."""
        return object_at(self.event, "event", "comment")

    @property
    def own_id(self) -> str:
        """Zendesk's id of the event."""
        found = string_at(self.event, "id")
        if found is None:
            raise Broken("id: missing")
        return f"event/{clean(found)}"

    @property
    def opening(self) -> str | None:
        """The message id of what the ticket was opened with."""
        own_id = string_at(self.detail, "id")
        return f"ticket/{own_id}" if own_id else None

    @property
    def subject(self) -> str | None:
        """The subject, cut to what the model allows."""
        return short(string_at(self.detail, "subject"))

    @property
    def by_staff(self) -> bool:
        """Whether the desk wrote it: as the comment's author says, else as the actor's id does."""
        told = object_at(self.comment, "author").get("is_staff")
        if isinstance(told, bool):
            return told
        return string_at(self.detail, "actor_id") != string_at(self.detail, "requester_id")

    def is_opening(self, text: str | None) -> bool:
        """Whether a comment is the ticket's description, written when the ticket was."""
        written, opened = (
            from_iso(string_at(self.event, "time")),
            from_iso(string_at(self.detail, "created_at")),
        )
        if text is None or written is None or opened is None:
            return False
        same = text.strip() == (string_at(self.detail, "description") or "").strip()
        return same and abs(written - opened) <= _OPENING

    def where(self) -> dict[str, Any]:
        """Return channel, time and where to answer."""
        ticket = string_at(self.detail, "id")
        channel = CHANNELS.get(string_at(self.detail, "via", "channel") or "", OTHER_CHANNEL)
        return {
            "channel": channel,
            "occurred_at": from_iso(string_at(self.event, "time")),
            "reply_to": clean(ticket)[:255] if ticket else None,
        }

    def attachment(self) -> dict[str, Any]:
        """Return the file that was linked to a comment, by reference."""
        found = object_at(self.event, "event", "attachment")
        address, media_type = string_at(found, "content_url"), string_at(found, "content_type")
        return file(address, media_type, string_at(found, "filename"), found.get("size"))

    def agent(self) -> str | None:
        """Return the id of the agent who wrote it, or None."""
        return string_at(self.comment, "author", "id") if self.by_staff else None

    def requester(self) -> Person:
        """Return the customer whose ticket it is."""
        return self._person(string_at(self.detail, "requester_id"))

    def writer(self) -> Person:
        """Return the customer who wrote it; of what the desk wrote, the one it is for."""
        author = object_at(self.comment, "author")
        if self.by_staff or "id" not in author:
            return self.requester()
        return self._person(string_at(author, "id"), string_at(author, "name"))

    def in_messaging(self, actor: dict[str, Any] | None) -> Person:
        """Return the customer of a message; without an actor all that is told is the ticket."""
        ticket = f"ticket-{string_at(self.detail, 'id')}"
        if actor is None:
            return self._person(ticket)
        known = self._person(string_at(actor, "id"), string_at(actor, "name"))
        points = (*known.points, *self._person(ticket).points)
        return Person(points, known.conversation, known.name)

    def _person(self, own_id: str | None, name: str | None = None) -> Person:
        scope, ticket = string_at(self.event, "account_id"), string_at(self.detail, "id")
        return person("zendesk", scope, own_id, ticket, name)
