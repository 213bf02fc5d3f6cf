"""The topic catalogue: every topic, its key, who writes it, who reads it, what travels on it.

The architecture diagram, the topics that `throughline topics create` makes, and the JSON Schemas
are all made from here.
"""

from dataclasses import dataclass
from datetime import timedelta

from shared.events.contact import CONTACT_EVENTS
from shared.events.customers import CUSTOMER_RECORDS, PROFILE_EVENTS
from shared.events.dead_letters import DEAD_LETTERS
from shared.events.envelope import Event
from shared.events.routing import ROUTING_COMMANDS, ROUTING_EVENTS
from shared.events.sla import SLA_EVENTS

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its contract and the settings it is created with.

    `partitions` is fixed for good, because key → partition depends on it: 12 divides evenly over
    1, 2, 3, 4, 6 or 12 processes. `retention` outlives an outage (7 days) and bounds erasure (28).
    `broker_time` says that the broker stamps the records, because their writers are not trusted to.
    """

    name: str
    key: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    events: tuple[type[Event], ...]
    partitions: int = 12
    retention: timedelta = timedelta(days=7)
    max_message_bytes: int = MIB
    broker_time: bool = False


CONTACT_INBOX = Topic(
    name="contact-inbox",
    key="any",
    producers=("integrators",),
    consumers=("ingest",),
    events=(*CONTACT_EVENTS, *CUSTOMER_RECORDS),
    broker_time=True,
)
CONTACT_TOPIC = Topic(
    name="contact-events",
    key="conversation id",
    producers=("ingest",),
    consumers=("ingest", "routing", "sla", "profile"),
    events=CONTACT_EVENTS,
)
CUSTOMER_RECORDS_TOPIC = Topic(
    name="customer-records",
    key="contact point",
    producers=("ingest",),
    consumers=("profile",),
    events=CUSTOMER_RECORDS,
)
ROUTING_COMMANDS_TOPIC = Topic(
    name="routing-commands",
    key="pool",
    producers=("routing",),
    consumers=("routing",),
    events=ROUTING_COMMANDS,
)
ROUTING_TOPIC = Topic(
    name="routing-events",
    key="the case's opening conversation id",
    producers=("routing",),
    consumers=("ingest", "sla", "profile"),
    events=ROUTING_EVENTS,
)
SLA_TOPIC = Topic(
    name="sla-events",
    key="the case's opening conversation id",
    producers=("sla",),
    consumers=("profile",),
    events=SLA_EVENTS,
)
PROFILE_TOPIC = Topic(
    name="profile-events",
    key="customer id",
    producers=("profile",),
    consumers=(),
    events=PROFILE_EVENTS,
)
DEAD_LETTER_TOPIC = Topic(
    name="dead-letters",
    key="source topic, or provider and channel account",
    producers=("ingest", "routing", "sla", "profile"),
    consumers=("operators",),
    events=DEAD_LETTERS,
    retention=timedelta(days=28),
    # every byte of the largest request we read (an e-mail of 25 MiB), in base64, and its headers
    max_message_bytes=36 * MIB,
)

TOPICS = (
    CONTACT_INBOX,
    CONTACT_TOPIC,
    CUSTOMER_RECORDS_TOPIC,
    ROUTING_COMMANDS_TOPIC,
    ROUTING_TOPIC,
    SLA_TOPIC,
    PROFILE_TOPIC,
    DEAD_LETTER_TOPIC,
)
BY_NAME = {topic.name: topic for topic in TOPICS}

HOME = {
    event.wire_type: topic
    for topic in TOPICS
    if topic is not CONTACT_INBOX
    for event in topic.events
}
"""The one topic each event type is published to (the inbox only takes in)."""
