"""What can come of an attempt to send a reply."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it and calls it `message_id`, as its receipts and echoes will."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Later:
    """Not taken for now, and surely not sent: try again, not before `after` if that is known."""

    reason: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider will never take this; `reason` is for the agent (no personal data in it)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """The provider may have sent it, or not: tried again only where a call is `repeatable`."""

    reason: str


Outcome = Sent | Later | Refused | Unclear
