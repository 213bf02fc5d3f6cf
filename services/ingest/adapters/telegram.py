"""Telegram Bot API: messages to a bot, edits, buttons, reactions, and who blocked it.

Source: Telegram's page "Telegram Bot API" (Update, Message, setWebhook). The body is not signed:
the secret token proves the sender. A message id is unique within its chat only, so ours is
`<chat>/<message>`; user ids are the same for every bot.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, json_object, kept_whole
from services.ingest.adapters.contract import Adapter, Parsed, Unparseable
from services.ingest.adapters.payloads.json_parts import (
    Ignored,
    Translation,
    message_event,
    required,
    translated,
)
from services.ingest.adapters.payloads.telegram_changes import choice, deletions, edit, reactions
from services.ingest.adapters.payloads.telegram_content import (
    KINDS,
    attachments_of,
    common_of,
    is_ours,
    kind_of,
    message_id_of,
    person_of,
    text_of,
)
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.base import Token
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import short
from shared.events.contact import (
    ContactUnrecognised,
)
from shared.ids import KeyedIds

IGNORED = frozenset(
    {"business_connection", "channel_post", "chat_boost", "chosen_inline_result"}
    | {"edited_channel_post", "inline_query", "message_reaction_count", "poll"}
    | {"removed_chat_boost"}
)
NOTICES = frozenset(
    {"channel_chat_created", "delete_chat_photo", "forum_topic_closed", "forum_topic_created"}
    | {"forum_topic_edited", "forum_topic_reopened", "group_chat_created", "left_chat_member"}
    | {"message_auto_delete_timer_changed", "migrate_from_chat_id", "migrate_to_chat_id"}
    | {"new_chat_members", "new_chat_photo", "new_chat_title", "pinned_message"}
    | {"supergroup_chat_created"}
)


class Telegram(Adapter):
    """One bot's webhook; Telegram vouches for the times."""

    provider = "telegram"
    scheme = Token(header="x-telegram-bot-api-secret-token", secret="secret_token")

    def parse(
        self, request: RawRequest, account: ChannelAccount, received_at: datetime, ids: KeyedIds
    ) -> Parsed:
        """Translate one update."""
        update = json_object(request.body)
        if string_at(update, "update_id") is None:
            raise Unparseable("update_id: missing")
        builder = Builder(account, received_at, ids, vouched=True)
        return translated([update], lambda part: _translate(builder, part), lambda _: request.body)


def _translate(builder: Builder, update: dict[str, Any]) -> Translation:
    kind = next((name for name in update if name != "update_id"), "unknown")
    part, own_id = object_at(update, kind), required(update, "update_id")
    if kind in IGNORED or not (person_of(part) or "chat" in part):
        raise Ignored(kind if kind in IGNORED else "update without a customer")
    return TRANSLATORS.get(kind, _other(kind))(builder, part, own_id)


def _other(kind: str) -> Callable[[Builder, dict[str, Any], str], Translation]:
    def unrecognised(builder: Builder, part: dict[str, Any], own_id: str) -> Translation:
        status = string_at(part, "new_chat_member", "status")
        named = short(f"{kind}/{status}" if status else kind)
        common = common_of(builder, part)
        return [
            builder.event(ContactUnrecognised, own_id, **common, kind=named, raw=kept_whole(part))
        ]

    return unrecognised


def _message(builder: Builder, message: dict[str, Any], own_id: str) -> Translation:
    if object_at(message, "from").get("is_bot") is True and "sender_chat" not in message:
        raise Ignored("bot")
    notice = next((name for name in NOTICES if name in message), None)
    if notice:
        return _other(notice)(builder, message, own_id)
    name = kind_of(message)
    answered = string_at(message, "reply_to_message", "message_id")
    if answered == string_at(message, "message_thread_id"):
        answered = None  # in a topic, every message "answers" the one that opened it
    ours = is_ours(message)
    return [
        message_event(
            builder,
            message_id_of(message),
            text_of(message),
            own_id=None if ours else own_id,  # a reply of ours has its message's id, too
            sent_by="agent" if ours else None,
            kind=KINDS[name][0] if name in KINDS else "unknown",
            attachments=attachments_of(message),
            in_reply_to=message_id_of(message, answered) if answered else None,
            raw=None if name == "text" else kept_whole(message),
            **common_of(builder, message),
        )
    ]


TRANSLATORS: dict[str, Callable[[Builder, dict[str, Any], str], Translation]] = {
    "message": _message,
    "business_message": _message,
    "edited_message": edit,
    "edited_business_message": edit,
    "callback_query": choice,
    "message_reaction": reactions,
    "deleted_business_messages": deletions,
}
