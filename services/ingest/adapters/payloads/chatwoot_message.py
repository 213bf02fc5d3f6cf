"""What a Chatwoot event tells of its message: whose it is, over which inbox, when, which files."""

from datetime import datetime
from typing import Any

from services.ingest.adapters.building import from_iso, from_unix
from services.ingest.adapters.payloads.helpdesks import Person, file, person
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.text import clean
from shared.contact_points import InvalidContactPoint, contact_point

CHANNELS = {
    "Channel::WebWidget": "chat",
    "Channel::Email": "email",
    "Channel::Sms": "sms",
    "Channel::TwilioSms": "sms",
    "Channel::Voice": "voice",
    "Channel::FacebookPage": "social",
    "Channel::Instagram": "social",
    "Channel::TwitterProfile": "social",
    "Channel::Tiktok": "social",
}
OTHER_CHANNEL = "messaging"  # WhatsApp, Telegram, LINE, an inbox of one's own
NUMBERED = frozenset({"Channel::Sms", "Channel::TwilioSms", "Channel::Whatsapp", "Channel::Voice"})
"""The number is the carrier's word there; in a widget it is whatever somebody typed."""
MEDIA_TYPES = {"image": "image/*", "audio": "audio/*", "video": "video/*"}


def customer(event: dict[str, Any]) -> Person:
    """Return the contact: the sender of what came in, else the conversation's own."""
    conversation = object_at(event, "conversation")
    sender = object_at(event, "sender")
    if string_at(sender, "type") in ("user", "agent_bot", "captain_assistant"):
        sender = {}
    told = sender or object_at(event, "contact") or object_at(conversation, "meta", "sender")
    contact = string_at(told, "id") or string_at(conversation, "contact_inbox", "contact_id")
    inbox = string_at(conversation, "channel")
    return person(
        "chatwoot",
        string_at(event, "account", "id"),
        contact,
        string_at(conversation, "id"),
        string_at(told, "name"),
        [
            ("tel", _number(told) if inbox in NUMBERED else None),
            ("email", _mail(told) if inbox == "Channel::Email" else None),
        ],
    )


def _number(told: dict[str, Any]) -> str | None:
    return _valid("tel", string_at(told, "phone_number"))


def _mail(told: dict[str, Any]) -> str | None:
    return _valid("email", string_at(told, "email"))


def _valid(scheme: str, value: str | None) -> str | None:
    """Return the address if it is one: a short code is none, and no reason to lose a message."""
    try:
        return value if value and contact_point(scheme, value) else None
    except InvalidContactPoint:
        return None


def where(event: dict[str, Any], occurred_at: datetime | None) -> dict[str, Any]:
    """Return channel, time and where to answer."""
    conversation = string_at(event, "conversation", "id")
    inbox = string_at(event, "conversation", "channel") or ""
    return {
        "channel": CHANNELS.get(inbox, OTHER_CHANNEL),
        "occurred_at": occurred_at,
        "reply_to": clean(conversation)[:255] if conversation else None,
    }


def moment(event: dict[str, Any], name: str) -> datetime | None:
    """Return a time: RFC 3339, Unix seconds, or `2026-11-03 09:15:00 UTC` as older versions do."""
    written = string_at(event, name)
    if written is None or written.isdigit():
        return from_unix(written)
    return from_iso(written.replace(" UTC", "+00:00"))


def files_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the attachments by reference; Chatwoot tells a kind, not always a media type."""
    return [
        file(
            string_at(each, "data_url"),
            string_at(each, "content_type") or MEDIA_TYPES.get(string_at(each, "file_type") or ""),
            string_at(each, "file_name"),
            each.get("file_size"),
        )
        for each in list_at(event, "attachments")
        if isinstance(each, dict)
    ]
