"""Builders of events: say only what the test is about."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from shared.events.contact import MessageReceived
from shared.events.contact_data import MessageData

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_numbers = count()


def a_message_received(
    conversation: str = "conv_1",
    *,
    event_id: str | None = None,
    time: datetime = NOON,
    contact_points: tuple[str, ...] = ("chat:visitor-1",),
    channel: str = "chat",
    **data: Any,
) -> MessageReceived:
    """Return a customer's message."""
    event_id = event_id or f"evt_{next(_numbers)}"
    return MessageReceived(
        id=event_id,
        source="/tests",
        time=time,
        partitionkey=conversation,
        subject=conversation,
        data=MessageData(
            **{
                "channel": channel,
                "provider": "tests",
                "channel_account": "main",
                "conversation_id": conversation,
                "contact_points": contact_points,
                "received_at": time,
                "provider_event_id": event_id,
                "message_id": event_id,
                "text": "Hello",
                **data,
            }
        ),
    )
