"""Zendesk: comments of tickets and messages of its messaging, as events of one webhook.

Sources: Zendesk's pages "Verifying webhook authenticity", "Ticket events" and "Messaging events".

A new ticket is told twice: as a ticket with its description, and as its first comment. Both get
the same id, so it counts once. Messages of a desk in messaging name no customer: the ticket does.
"""

from collections.abc import Callable
from typing import Any

from services.ingest.adapters.building import Builder
from services.ingest.adapters.contract import Adapter, Unparseable
from services.ingest.adapters.payloads.helpdesks import (
    Helpdesk,
    common,
    message,
    unrecognised,
)
from services.ingest.adapters.payloads.json_parts import Ignored, Translation
from services.ingest.adapters.payloads.zendesk_ticket import Ticket
from services.ingest.adapters.schemes.zendesk import ZENDESK
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import cut
from shared.events import Event
from shared.events.contact import MessageDeleted, MessageEdited

TYPE = "zen:event-type:"
SENDERS = {"end_user": None, "agent": "agent", "system": "bot", "trigger": "system"}
IGNORED = frozenset({"ticket.marked_as_spam", "ticket.comment_made_private"})
CHANGED = "_changed"  # a field of the ticket: its status, its agent, its tags


class Zendesk(Helpdesk, Adapter):
    """Zendesk's event webhooks; Zendesk vouches for the times."""

    provider = "zendesk"
    scheme = ZENDESK

    def translate(self, builder: Builder, part: dict[str, Any]) -> Translation:
        """Return what one event means."""
        named = string_at(part, "type") or ""
        kind = named.removeprefix(TYPE)
        if kind == named:
            raise Unparseable("type: not an event of Zendesk")
        if not kind.startswith(("ticket.", "messaging_ticket.")):
            raise Ignored("not a ticket")  # users, organisations, articles
        if kind in IGNORED or kind.endswith(CHANGED):
            raise Ignored(kind)
        return [_HANDLERS.get(kind, _unrecognised)(builder, Ticket(part))]


def _opened(builder: Builder, ticket: Ticket) -> Event:
    text = string_at(ticket.detail, "description")
    where = {**ticket.where(), "subject": ticket.subject}
    return message(builder, ticket.opening, ticket.requester(), sender=None, text=text, **where)


def _commented(builder: Builder, ticket: Ticket) -> Event:
    if ticket.comment.get("is_public") is False:
        raise Ignored("a private comment")
    text = string_at(ticket.comment, "body")
    own_id = string_at(ticket.comment, "id")
    return message(
        builder,
        ticket.opening if ticket.is_opening(text) else own_id,
        ticket.writer(),
        sender="agent" if ticket.by_staff else None,
        agent_id=ticket.agent(),
        text=text,
        subject=ticket.subject,
        **ticket.where(),
    )


def _attached(builder: Builder, ticket: Ticket) -> Event:
    found = object_at(ticket.event, "event", "attachment")
    if found.get("is_public") is False or ticket.comment.get("is_public") is False:
        raise Ignored("a private attachment")
    own_id = string_at(found, "id")
    return message(
        builder,
        f"attachment/{own_id}" if own_id else None,
        ticket.writer(),
        sender="agent" if ticket.by_staff else None,
        agent_id=ticket.agent(),
        text=None,
        files=[ticket.attachment()],
        in_reply_to=string_at(ticket.comment, "id"),
        **ticket.where(),
    )


def _redacted(builder: Builder, ticket: Ticket) -> Event:
    text = string_at(ticket.comment, "body")
    given = {**common(ticket.requester()), **ticket.where()}
    given["message_id"] = string_at(ticket.comment, "id")
    if text is None:
        return builder.event(MessageDeleted, ticket.own_id, **given)
    return builder.event(MessageEdited, ticket.own_id, **given, text=cut(text)[0])


def _messaged(builder: Builder, ticket: Ticket) -> Event:
    actor = object_at(ticket.event, "event", "actor")
    sender = SENDERS.get(string_at(actor, "type") or "", "system")
    return message(
        builder,
        string_at(ticket.event, "event", "message", "id"),
        ticket.in_messaging(None if sender else actor),
        sender=sender,
        agent_id=string_at(actor, "id") if sender == "agent" else None,
        text=string_at(ticket.event, "event", "message", "body"),
        **{**ticket.where(), "channel": "chat"},
    )


def _unrecognised(builder: Builder, ticket: Ticket) -> Event:
    event = ticket.event
    kind, own_id = string_at(event, "type") or "", string_at(event, "id")
    return unrecognised(builder, own_id, ticket.requester(), kind, event, **ticket.where())


_HANDLERS: dict[str, Callable[[Builder, Ticket], Event]] = {
    "ticket.created": _opened,
    "ticket.comment_added": _commented,
    "ticket.attachment_linked_to_comment": _attached,
    "ticket.comment_redacted": _redacted,
    "messaging_ticket.message_added": _messaged,
}
