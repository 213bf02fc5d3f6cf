"""A web chat's channel account with its options read: which sites may open it, and its hours."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from services.ingest.accounts import Door, Doors
from services.ingest.chat.presence import Standing
from services.ingest.domain.chat_hours import BadHours, Hours, read_hours
from shared.errors import PolicyError

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class ChatAccount:
    """One web chat; `hours` None: nobody says when somebody is there."""

    door: Door
    origins: frozenset[str]
    hours: Hours | None

    @property
    def name(self) -> str:
        """Return the channel account's name."""
        return self.door.account.name

    def status(self, standing: Standing, now: datetime) -> dict[str, object]:
        """Return the `status` frame: what is known about the wait, None for what is not."""
        is_open, opens_at = _opening(self.hours, now.replace(second=0, microsecond=0))
        return {
            "type": "status",
            "position": standing.position,
            "wait_seconds": standing.wait_seconds,
            "agents_present": standing.agents_present,
            "open": is_open,
            "opens_at": opens_at.isoformat() if opens_at else None,
        }


@lru_cache(1_024)  # every open socket asks in the same minute
def _opening(hours: Hours | None, minute: datetime) -> tuple[bool | None, datetime | None]:
    if hours is None:
        return None, None
    is_open = hours.is_open(minute)
    return is_open, None if is_open else hours.next_opening(minute)


def read_chat_accounts(doors: Doors) -> dict[str, ChatAccount]:
    """Return the web chats by account; raise `PolicyError` for options that cannot be read."""
    chats = (door for door in doors.values() if door.adapter.transport == "chat")
    return {door.account.name: _read(door) for door in chats}


def _read(door: Door) -> ChatAccount:
    where = f"channel account {door.account.provider}/{door.account.name}"
    options = door.account.options
    origins = frozenset(options["origins"].split())
    if bad := sorted(one for one in origins if not _ORIGIN.fullmatch(one)):
        raise PolicyError(
            f"channels.yaml: origins of {where} has {bad[0]!r}, which is no origin.",
            "Write scheme and host in lower case, as in https://shop.example.com.",
        )
    try:
        written = options.get("hours")
        hours = read_hours(written, options.get("time_zone", "UTC")) if written else None
    except BadHours as error:
        raise PolicyError(
            f"channels.yaml: hours of {where}: {error}.", "Write mon-fri 08:00-16:00, sat …"
        ) from None
    return ChatAccount(door, origins, hours)
