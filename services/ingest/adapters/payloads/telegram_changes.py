"""What happens to Telegram messages after they were sent: edits, buttons, reactions, deletions."""

from typing import Any

from services.ingest.adapters.building import Builder, kept_whole
from services.ingest.adapters.payloads.json_parts import Ignored, Translation
from services.ingest.adapters.payloads.telegram_content import (
    common_of,
    message_id_of,
    reactions_of,
    text_of,
)
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.text import clean, short
from shared.events.contact import (
    ChoiceMade,
    MessageDeleted,
    MessageEdited,
    MessageReacted,
    MessageReceived,
)


def edit(builder: Builder, message: dict[str, Any], own_id: str) -> Translation:
    """Return the new text of a message."""
    common, (text, _) = common_of(builder, message, moment="edit_date"), text_of(message)
    message_id = message_id_of(message)
    return [builder.event(MessageEdited, own_id, **common, message_id=message_id, text=text)]


def choice(builder: Builder, query: dict[str, Any], own_id: str) -> Translation:
    """Return which button was pressed, and under which question."""
    asked = object_at(query, "message")
    data = clean(string_at(query, "data") or string_at(query, "game_short_name") or "button")
    place: dict[str, Any] = {
        name: asked[name] for name in ("chat", "message_thread_id") if name in asked
    }
    common = common_of(builder, {**place, "from": query.get("from")})
    if not asked:  # a button of a message sent through another bot's inline mode
        told: dict[str, Any] = {"message_id": own_id, "text": data, "raw": kept_whole(query)}
        return [builder.event(MessageReceived, own_id, **common, **told)]
    rows = list_at(asked, "reply_markup", "inline_keyboard")
    buttons = [button for row in rows if isinstance(row, list) for button in row]
    labels = [string_at(b, "text") for b in buttons if string_at(b, "callback_data") == data]
    return [
        builder.event(
            ChoiceMade,
            own_id,
            **common,
            interaction_id=message_id_of(asked),
            menu=short(text_of(asked)[0]) or "buttons",
            choice=short(labels[0] if labels else None) or short(data),
            raw={"data": data},
        )
    ]


def reactions(builder: Builder, part: dict[str, Any], own_id: str) -> Translation:
    """Return the reactions that came and those that went."""
    before, after = reactions_of(part, "old_reaction"), reactions_of(part, "new_reaction")
    changes = [(one, False) for one in after if one not in before]
    changes += [(one, True) for one in before if one not in after]
    common, message_id = common_of(builder, part), message_id_of(part)
    if not changes:
        raise Ignored("message_reaction without a change")
    return [
        builder.event(
            MessageReacted,
            f"{own_id}/{number}",
            **common,
            message_id=message_id,
            reaction=short(reaction),
            removed=removed,
        )
        for number, (reaction, removed) in enumerate(changes)
    ]


def deletions(builder: Builder, part: dict[str, Any], own_id: str) -> Translation:
    """Return the messages of a business chat that were taken back."""
    common = common_of(builder, part)
    numbers = [str(number) for number in list_at(part, "message_ids") if isinstance(number, int)]
    if not numbers:
        raise Ignored("deletion of nothing")
    return [
        builder.event(
            MessageDeleted, f"{own_id}/{one}", **common, message_id=message_id_of(part, one)
        )
        for one in numbers
    ]
