"""Building contact events: what every adapter does alike."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from services.ingest.adapters.contract import Broken, BrokenPart, Unparseable
from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain import limits
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.domain.text import clean
from shared.clock import event_time, sound
from shared.contact_points import InvalidContactPoint
from shared.events import Event
from shared.ids import KeyedIds, provider_event_id

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def source_of(provider: str, account: str) -> str:
    """Return the CloudEvents source of what came through one channel account."""
    return f"/ingest/{provider}/{account}"


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds the events of one channel account; `vouched` says whether its times count."""

    account: ChannelAccount
    received_at: datetime
    ids: KeyedIds
    vouched: bool

    def is_ours(self, conversation_id: str) -> bool:
        """Say whether a conversation that something named is on this channel account."""
        account = self.account
        return self.ids.is_conversation_of(conversation_id, account.provider, account.name)

    def event(
        self,
        event_type: type[Event],
        own_id: str,
        /,
        *,
        conversation: tuple[str, ...] = (),
        conversation_id: str | None = None,
        channel: str,
        occurred_at: datetime | None,
        **data: Any,
    ) -> Event:
        """Build one event; `own_id` is the provider's id of it, `conversation` its name of that.

        Where the conversation was found in another way, it is given as `conversation_id`.
        """
        provider, account = self.account.provider, self.account.name
        occurred_at = sound(occurred_at)  # a claim that cannot be meant is no claim
        if conversation_id is None:
            conversation_id = self.ids.conversation_id(provider, account, *conversation)
        return event_type.model_validate(
            {
                "id": provider_event_id(provider, account, own_id),
                "source": source_of(provider, account),
                "type": event_type.wire_type,
                "time": event_time(occurred_at, self.received_at, vouched=self.vouched),
                "partitionkey": conversation_id,
                "data": {
                    "channel": channel,
                    "provider": provider,
                    "channel_account": account,
                    "conversation_id": conversation_id,
                    "occurred_at": occurred_at,
                    "received_at": self.received_at,
                    "provider_event_id": own_id,
                    **data,
                },
            }
        )


def room_for_parts(body: bytes) -> int:
    """Return how many bytes the broken parts of a request may have, before it is kept whole."""
    return len(body) + limits.PART


def each(
    parts: Iterable[T],
    translate: Callable[[T], Iterable[Event]],
    as_body: Callable[[T], bytes],
    room: int = limits.MAIL + limits.PART,
    most: int = limits.PARTS,
) -> tuple[list[Event], list[BrokenPart]]:
    """Translate every part; one that breaks becomes a `BrokenPart` and the others go on.

    Once the broken ones have more than `room` bytes, their request is put aside whole, so those
    that follow are not written out: each may repeat all that stands around it.
    Raises `Unparseable` for more than `most` parts: no provider sends as many.
    """
    events: list[Event] = []
    broken: list[BrokenPart] = []

    def put_aside(part: T, error: str) -> None:
        nonlocal room
        body = as_body(part) if room >= 0 else b""
        room -= len(body)
        broken.append(BrokenPart(body, error))

    for number, part in enumerate(parts):
        if number == most:
            raise Unparseable("body: too many parts")
        try:
            events.extend(translate(part))
        except Broken as error:
            put_aside(part, error.error)
        except InvalidContactPoint:
            put_aside(part, "invalid contact point")
        except ValidationError as error:
            place = error.errors(include_input=False, include_url=False, include_context=False)[0]
            where = ".".join(str(step) for step in place["loc"])
            put_aside(part, f"{where}: {place['type']}")
    return events, broken


def json_object(body: bytes, keys: int = limits.JSON_KEYS) -> dict[str, Any]:
    """Return the object a JSON body holds; raise `Unparseable` for anything else.

    It has at most `keys` keys.
    """
    try:
        found = parse_json(body, keys)
    except Malformed:
        raise Unparseable("body: json") from None
    if not isinstance(found, dict):
        raise Unparseable("body: not an object")
    return found


def kept_whole(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part of a payload for `raw`: as it came, but encodable; `Broken` if too large."""
    written = clean(json.dumps(part, ensure_ascii=False))
    if len(written.encode()) > limits.PART:
        raise Broken("part: too large")
    found: dict[str, Any] = json.loads(written)
    return found


def from_unix(written: str | None) -> datetime | None:
    """Return a Unix time in seconds (or milliseconds) as an aware time, None if it is none.

    None, too, for a time that cannot be meant (`shared.clock.sound`); so do all three of these.
    """
    if written is None or not written.isascii() or not written.isdigit() or len(written) > 13:
        return None
    unit = "milliseconds" if len(written) > 11 else "seconds"
    return sound(_EPOCH + timedelta(**{unit: int(written)}))


def from_iso(written: str | None) -> datetime | None:
    """Return an RFC 3339 time with a zone as an aware time, None if it is none."""
    if written is None or len(written) > 40:
        return None
    try:
        moment = datetime.fromisoformat(written)
        return sound(moment) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def from_http_date(written: str | None) -> datetime | None:
    """Return a time as RFC 2822 and HTTP write it (`Tue, 03 Nov 2026 09:15:00 +0000`), or None."""
    if written is None or len(written) > 40:
        return None
    try:
        moment = parsedate_to_datetime(written)
        return sound(moment) if moment.tzinfo else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def seconds_of(written: str | None) -> float | None:
    """Return a length of time in seconds, written as digits, or None if it is none."""
    if written is None or not written.isascii() or not written.isdigit() or len(written) > 9:
        return None
    return float(written)


def seconds_between(first: datetime | None, last: datetime | None) -> float | None:
    """Return the seconds from one time to a later one (0 if it is earlier), None without both."""
    return max(0.0, (last - first).total_seconds()) if first and last else None
