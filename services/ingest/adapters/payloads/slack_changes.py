"""What happens to Slack messages after they were sent: edits, deletions, reactions."""

from collections.abc import Callable
from typing import Any

from services.ingest.adapters.building import Builder
from services.ingest.adapters.payloads.json_parts import Ignored, Translation, required
from services.ingest.adapters.payloads.slack_content import (
    common_of,
    message_id_of,
    moment_of,
    text_of,
)
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import short
from shared.events.contact import MessageDeleted, MessageEdited, MessageReacted


def _writer(message: dict[str, Any]) -> str | None:
    """Return who wrote a message, unless a bot did."""
    return None if string_at(message, "bot_id") else string_at(message, "user")


def changed(builder: Builder, event: dict[str, Any], team: str, own_id: str) -> Translation:
    """Return the new text of a customer's message; links that unfold change no text."""
    channel, message = required(event, "channel"), object_at(event, "message")
    if string_at(message, "subtype") == "tombstone":  # deleted, but others had answered it
        return deleted(builder, {**event, "deleted_ts": message.get("ts")}, team, own_id)
    user = _writer(message)
    if user is None or not object_at(message, "edited"):
        raise Ignored("change of no customer's text")
    common = common_of(
        builder, team, channel, user, string_at(message, "ts"), string_at(message, "thread_ts")
    )
    common["occurred_at"] = moment_of(string_at(message, "edited", "ts"))
    message_id, (text, _) = message_id_of(channel, message), text_of(message)
    return [builder.event(MessageEdited, own_id, **common, message_id=message_id, text=text)]


def deleted(builder: Builder, event: dict[str, Any], team: str, own_id: str) -> Translation:
    """Return which message of a customer was taken back."""
    channel, before = required(event, "channel"), object_at(event, "previous_message")
    user = _writer(before)
    if user is None:
        raise Ignored("deletion of no customer's message")
    common = common_of(
        builder, team, channel, user, string_at(before, "ts"), string_at(before, "thread_ts")
    )
    common["occurred_at"] = moment_of(string_at(event, "event_ts"))
    message_id = message_id_of(channel, event, "deleted_ts")
    return [builder.event(MessageDeleted, own_id, **common, message_id=message_id)]


def reacted(*, removed: bool) -> Callable[[Builder, dict[str, Any], str, str], Translation]:
    """Return a translator of a customer's reaction to a message: the emoji's name."""

    def translate(builder: Builder, event: dict[str, Any], team: str, own_id: str) -> Translation:
        item = object_at(event, "item")
        if string_at(item, "type") != "message":
            raise Ignored("reaction to something else")
        channel, user = required(item, "channel"), required(event, "user")
        common = common_of(builder, team, channel, user, string_at(item, "ts"))
        common["occurred_at"] = moment_of(string_at(event, "event_ts"))
        return [
            builder.event(
                MessageReacted,
                own_id,
                **common,
                message_id=message_id_of(channel, item),
                reaction=short(string_at(event, "reaction")),
                removed=removed,
            )
        ]

    return translate
