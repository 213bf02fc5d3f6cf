"""What a Slack message says, who wrote it, and where to answer."""

import re
from datetime import UTC, datetime
from typing import Any

from services.ingest.adapters.building import Builder
from services.ingest.adapters.payloads.json_parts import required, size_at
from services.ingest.domain.json_fields import list_at, string_at, value_at
from services.ingest.domain.text import cut, short
from shared.clock import sound
from shared.contact_points import contact_point

CHANNEL = "messaging"
FILES = 20
_TS = re.compile(r"([0-9]{9,11})\.([0-9]{6})")


def moment_of(written: str | None) -> datetime | None:
    """Return one of Slack's times (`1762160400.000100`, seconds) as an aware time."""
    found = _TS.fullmatch(written or "")
    if found is None:
        return None
    moment = datetime.fromtimestamp(int(found[1]), UTC).replace(microsecond=int(found[2]))
    return sound(moment)


def text_of(message: Any) -> tuple[str | None, bool]:
    """Return the text with Slack's three escapes undone, and whether it had to be cut."""
    written = string_at(message, "text") or ""
    for escape, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        written = written.replace(escape, sign)
    text, truncated = cut(written)
    return text or None, truncated


def kind_of(message: Any) -> str:
    """Return what a message is: text, or the kind of its first file."""
    files = list_at(message, "files")
    if string_at(message, "text") or not files:
        return "text" if string_at(message, "text") else "unknown"
    major = (string_at(files[0], "mimetype") or "").partition("/")[0]
    return major if major in ("image", "audio", "video") else "document"


def attachments_of(message: Any) -> list[dict[str, Any]]:
    """Return the files by their private addresses, which need the bot's token."""
    return [
        {
            "reference": reference[:2048],
            "media_type": (string_at(file, "mimetype") or "application/octet-stream")[:255],
            "name": short(string_at(file, "name")),
            "size": size_at(file, "size"),
        }
        for file in list_at(message, "files")[:FILES]
        if (reference := string_at(file, "url_private") or string_at(file, "id"))
    ]


def common_of(
    builder: Builder, team: str, channel: str, user: str, ts: str | None, thread: str | None = None
) -> dict[str, Any]:
    """Return what every event tells: a customer has one conversation in each Slack channel."""
    direct = channel.startswith("D") or channel == user
    answer = thread or (None if direct else ts)
    return {
        "conversation": (channel, user),
        "channel": CHANNEL,
        "occurred_at": moment_of(ts),
        "contact_points": (contact_point("slack", f"{team}/{user}"),),
        "reply_to": f"{channel}/{answer}" if answer else channel,
    }


def message_id_of(channel: str, message: Any, name: str = "ts") -> str:
    """Return our id of a message: Slack's is unique within its channel only."""
    return f"{channel}/{required(message, name)}"


def our_bots(payload: dict[str, Any]) -> set[str | None]:
    """Return the users that our app is in this workspace."""
    told = list_at(payload, "authorizations")
    return {string_at(one, "user_id") for one in told if value_at(one, "is_bot") is True}
