"""What a Telegram message says and who wrote it: its kind, text, files, and where to answer."""

from typing import Any
from urllib.parse import urlencode

from services.ingest.adapters.building import Builder, from_unix
from services.ingest.adapters.contract import Broken
from services.ingest.adapters.payloads.json_parts import joined, places_at, required, size_at
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.text import clean, cut, short
from shared.contact_points import contact_point

CHANNEL = "messaging"
KINDS = {  # in this order: an animation is a document too, a venue a location
    "text": ("text", ""),
    "animation": ("video", "video/mp4"),
    "photo": ("image", "image/jpeg"),
    "voice": ("audio", "audio/ogg"),
    "audio": ("audio", "audio/mpeg"),
    "video": ("video", "video/mp4"),
    "video_note": ("video", "video/mp4"),
    "sticker": ("sticker", "image/webp"),
    "document": ("document", "application/octet-stream"),
    "venue": ("location", ""),
    "location": ("location", ""),
    "contact": ("contact", ""),
    "dice": ("text", ""),
    "poll": ("poll", ""),
}
TEXTS = {
    "sticker": (("emoji",),),
    "venue": (("title",), ("address",)),
    "contact": (("first_name",), ("last_name",), ("phone_number",)),
    "dice": (("emoji",), ("value",)),
    "poll": (("question",),),
}


def kind_of(message: dict[str, Any]) -> str:
    """Return the name of the field that holds the content, or `unknown`."""
    return next((name for name in KINDS if name in message), "unknown")


def text_of(message: dict[str, Any]) -> tuple[str | None, bool]:
    """Return the text, caption or place of a message, and whether it had to be cut."""
    name = kind_of(message)
    found = string_at(message, "text") or string_at(message, "caption")
    if name == "location":
        found = places_at(object_at(message, name), "latitude", "longitude")
    elif not found:
        texts = (string_at(message, name, *path) for path in TEXTS.get(name, ()))
        found = joined(*texts)
    text, truncated = cut(found or "")
    return text or None, truncated


def attachments_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the file of a message by its `file_id`; of a photo, the largest size."""
    name = kind_of(message)
    sizes = list_at(message, name)
    file = sizes[-1] if sizes else object_at(message, name)
    reference = string_at(file, "file_id")
    if reference is None:
        return []
    return [
        {
            "reference": reference,
            "media_type": (string_at(file, "mime_type") or KINDS[name][1])[:255],
            "name": short(string_at(file, "file_name")),
            "size": size_at(file, "file_size"),
        }
    ]


def reactions_of(part: dict[str, Any], name: str) -> list[str]:
    """Return reactions as an emoji, a custom emoji's id, or the type's name (`paid`)."""
    found = (
        string_at(one, "emoji") or string_at(one, "custom_emoji_id") or string_at(one, "type")
        for one in list_at(part, name)
    )
    return [reaction for reaction in found if reaction]


def person_of(part: dict[str, Any]) -> dict[str, Any]:
    """Return the customer: with a business account that is always who the chat is with."""
    if string_at(part, "business_connection_id"):
        return object_at(part, "chat")
    names = ("sender_chat", "actor_chat", "from", "user")
    return next((person for name in names if (person := object_at(part, name))), {})


def is_ours(message: dict[str, Any]) -> bool:
    """Tell whether the owner of a business account wrote it, in Telegram's own app."""
    if string_at(message, "business_connection_id") is None:
        return False
    return string_at(message, "from", "id") != string_at(message, "chat", "id")


def message_id_of(part: dict[str, Any], number: str | None = None) -> str:
    """Return our id of a message: the chat's and the message's."""
    return f"{required(part, 'chat', 'id')}/{number or required(part, 'message_id')}"


def common_of(builder: Builder, part: dict[str, Any], moment: str = "date") -> dict[str, Any]:
    """Return what every event of a part tells: whose it is, when, and where to answer."""
    person = person_of(part)
    who = string_at(person, "id")
    if who is None:
        raise Broken("from: missing")
    chat = string_at(part, "chat", "id") or who
    answer = {
        "chat_id": chat,
        "message_thread_id": string_at(part, "message_thread_id"),
        "business_connection_id": string_at(part, "business_connection_id"),
    }
    return {
        "conversation": (chat,) if chat == who else (chat, who),
        "channel": CHANNEL,
        "occurred_at": from_unix(string_at(part, moment)),
        "contact_points": (contact_point("telegram", who),),
        "display_name": short(
            joined(string_at(person, "first_name"), string_at(person, "last_name"))
            or string_at(person, "title")
            or string_at(person, "username")
        ),
        "locale": (string_at(part, "from", "language_code") or "")[:35] or None,
        "reply_to": urlencode({name: clean(value) for name, value in answer.items() if value}),
    }
