"""Intercom: conversations as its webhooks tell them.

Sources: Intercom's pages "Webhook models", "Webhook topics" and "Conversation parts".

A notification holds the conversation and the parts that are new, and names its contact. Bodies are
HTML, or plain text since version 2.15; their text is kept.
"""

from collections.abc import Iterable
from typing import Any

from services.ingest.adapters.building import Builder
from services.ingest.adapters.contract import Adapter, Unparseable
from services.ingest.adapters.payloads.helpdesks import (
    Helpdesk,
    common,
    form,
    message,
    unrecognised,
)
from services.ingest.adapters.payloads.intercom_conversation import (
    customer,
    files_of,
    opening,
    part_of,
    source_of,
    split,
    text_of,
    where,
)
from services.ingest.adapters.payloads.json_parts import Ignored, Translation
from services.ingest.adapters.schemes.base import Hmac
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import clean, short
from shared.events import Event
from shared.events.contact import MessageDeleted

SENDERS = {"admin": "agent", "team": "agent", "bot": "bot", "operator": "bot"}
OPENED = frozenset({"conversation.user.created", "conversation.admin.single.created"})
REPLIED = frozenset(
    {"conversation.user.replied", "conversation.admin.replied", "conversation.operator.replied"}
)
REDACTED = "conversation_part.redacted"
OF_PARTS = REPLIED | {REDACTED}
"""What is told of parts of a conversation, each of which gives an event."""
RATED = frozenset({"conversation.rating.added", "conversation.rating.remarked"})
IGNORED = frozenset(
    f"conversation.admin.{name}"
    for name in (
        *("assigned", "closed", "noted", "open.assigned", "opened", "snoozed", "unsnoozed"),
    )
) | {"conversation.priority.updated", "conversation_part.tag.created"}


class Intercom(Helpdesk, Adapter):
    """Intercom's webhooks, signed with the app's client secret; Intercom vouches for the times."""

    provider = "intercom"
    scheme = Hmac(header="x-hub-signature", secret="client_secret", digest="sha1", prefix="sha1=")

    def split(self, payload: dict[str, Any]) -> Iterable[dict[str, Any]]:
        """Return notifications of one part each, if it is parts that something is told of."""
        return split(payload) if string_at(payload, "topic") in OF_PARTS else (payload,)

    def translate(self, builder: Builder, part: dict[str, Any]) -> Translation:
        """Return what a notification means; it holds one part."""
        topic = string_at(part, "topic")
        if topic is None or string_at(part, "type") != "notification_event":
            raise Unparseable("topic: not a notification of Intercom")
        if not topic.startswith(("conversation.", "conversation_part.")):
            raise Ignored(topic if topic == "ping" else "not a conversation")
        if topic in IGNORED:
            raise Ignored(topic)
        item = object_at(part, "data", "item")
        if topic in OPENED:
            return [_message(builder, part, item, source_of(item))]
        if topic in REPLIED:
            return [_message(builder, part, item, part_of(item))]
        if topic == REDACTED:
            return [_deleted(builder, part, item, part_of(item))]
        return [_rated(builder, part, item) if topic in RATED else _unknown(builder, part, item)]


def _message(builder: Builder, note: Any, item: dict[str, Any], part: dict[str, Any]) -> Event:
    author = object_at(part, "author")
    sender = SENDERS.get(string_at(author, "type") or "")
    return message(
        builder,
        string_at(part, "id"),
        customer(note, item, None if sender else author),
        sender=sender,
        agent_id=string_at(author, "id") if sender == "agent" else None,
        text=text_of(string_at(part, "body")),
        subject=short(text_of(string_at(part, "subject"))),
        files=files_of(part),
        **where(item, string_at(part, "created_at")),
    )


def _deleted(builder: Builder, note: Any, item: dict[str, Any], part: dict[str, Any]) -> Event:
    who, message_id = customer(note, item), clean(string_at(part, "id") or "")
    return builder.event(
        MessageDeleted,
        f"message/{message_id}/redacted",
        **common(who),
        **where(item, string_at(note, "created_at")),
        message_id=message_id,
    )


def _rated(builder: Builder, note: Any, item: dict[str, Any]) -> Event:
    rating = object_at(item, "conversation_rating")
    answers = [(name, string_at(rating, name) or "") for name in ("rating", "remark")]
    own_id = f"{opening(item)}/rating/{string_at(note, 'id')}"
    at = string_at(note, "created_at")
    return form(
        builder, own_id, customer(note, item), "conversation rating", answers, **where(item, at)
    )


def _unknown(builder: Builder, note: dict[str, Any], item: dict[str, Any]) -> Event:
    own_id, topic = string_at(note, "id"), string_at(note, "topic") or ""
    given = where(item, string_at(note, "created_at"))
    return unrecognised(builder, own_id, customer(note, item), topic, note, **given)
