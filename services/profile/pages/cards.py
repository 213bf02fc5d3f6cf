"""A timeline entry as the page shows it: words, times in the reader's zone, and icons."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from services.profile.domain.timeline import Entry, to_millis
from services.profile.pages.words import channel_name, words

CHANNEL_ICONS = {
    "voice": "☎",
    "email": "✉",
    "sms": "✆",
    "messaging": "❝",
    "social": "@",
    "chat": "…",
    "form": "☰",
    "portal": "⌂",
}
_NOTE_ICONS = {"clock": "◷", "case": "❏", "work-item": "≡", "offer": "➜", "customer": "☺"}
_SCHEME_CHANNELS = {"tel": "voice", "email": "email", "whatsapp": "messaging"}


@dataclass(frozen=True, slots=True)
class Card:
    """What the page shows of one entry: its words, its place, its times and its icon.

    `order` is its time in milliseconds, `moment` the same for machines, `clock` and `day` as read.
    """

    entry_id: str
    order: int
    moment: str
    clock: str
    day: str
    day_name: str
    icon: str
    channel: str
    conversation_id: str
    side: str
    tone: str
    title: str
    case_reference: str
    subject: str
    text: str
    lines: tuple[str, ...]


def card(entry: Entry, zone: ZoneInfo) -> Card:
    """Return what the page shows of an entry, in the reader's time zone."""
    told = words(entry, zone)
    local = entry.occurred_at.astimezone(zone)
    return Card(
        entry_id=entry.entry_id,
        order=to_millis(entry.occurred_at),
        moment=entry.occurred_at.isoformat(),
        clock=local.strftime("%H:%M"),
        day=local.date().isoformat(),
        day_name=f"{local:%A}, {local.day} {local:%B %Y}",
        icon=_NOTE_ICONS.get(entry.kind.partition(".")[0])
        or CHANNEL_ICONS.get(entry.channel or "", "•"),
        channel=channel_name(entry.channel),
        conversation_id=entry.conversation_id or "",
        side=told.side,
        tone=told.tone,
        title=told.title,
        case_reference=entry.case_reference or "",
        subject=told.subject,
        text=told.text,
        lines=told.lines,
    )


def contact_point_parts(contact_point: str) -> tuple[str, str, str]:
    """Return a contact point as (icon, what it is, the address)."""
    scheme, _, value = contact_point.partition(":")
    icon = CHANNEL_ICONS.get(_SCHEME_CHANNELS.get(scheme, scheme), "•")
    return icon, {"tel": "phone", "email": "e-mail"}.get(scheme, scheme), value
