"""What a visitor may be told about the wait: only what somebody really knows."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a conversation stands: None is "unknown", and is told as such.

    `position` 1 is next; `wait_seconds` is an honest estimate; `agents_present` says whether
    anybody is there to answer at all.
    """

    position: int | None = None
    wait_seconds: int | None = None
    agents_present: bool | None = None


class Presence(Protocol):
    """Tells where conversations stand; routing knows, once somebody passes it on."""

    async def standing(self, account: str, conversation_id: str) -> Standing:
        """Return what is known now; never raises, and answers within a second."""
        ...


class NothingKnown:
    """Nobody tells us: everything is unknown."""

    async def standing(self, account: str, conversation_id: str) -> Standing:
        """Return that nothing is known."""
        return Standing()
