"""The load: conversations of made-up customers, and the same records for floor and service."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.clock import to_milliseconds
from shared.events import Event
from shared.events.contact import MessageReceived
from shared.streams import Publisher
from tests.support.builders import a_message_received

BATCH = 500
CUSTOMERS = 2_000


@dataclass(frozen=True, slots=True)
class Load:
    """How many events, over how many conversations."""

    events: int
    conversations: int


def messages(load: Load) -> list[MessageReceived]:
    """Return messages of about 700 bytes, of just now, spread over the conversations in turn."""
    start = to_milliseconds(datetime.now(UTC)) - timedelta(milliseconds=load.events)
    return [
        a_message_received(
            f"conv_{n % load.conversations:06}",
            event_id=f"evt_{n:08}",
            time=start + timedelta(milliseconds=n),
            contact_points=(f"whatsapp:portfolio/SI.{n % load.conversations:06}",),
            channel="messaging",
            text="My order has not arrived yet. Can you tell me where it is, please?",
            display_name="Ana K.",
        )
        for n in range(load.events)
    ]


async def publish(kafka: str, prefix: str, events: Sequence[Event]) -> None:
    """Publish a load, some thousands at a time."""
    publisher = Publisher(kafka, prefix)
    await publisher.start()
    try:
        for first in range(0, len(events), 5_000):
            await publisher.publish(events[first : first + 5_000])
    finally:
        await publisher.stop()
