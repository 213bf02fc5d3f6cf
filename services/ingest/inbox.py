"""The Kafka door: integrators' events on `contact-inbox`, taken as strictly as over HTTP.

Position, outbox and dead letters are the stream layer's. What an integrator gets wrong becomes a
dead letter that says why; it never stops the topic.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from services.ingest.adapters.payloads.own_events import Stamp, translate
from services.ingest.domain.channels import InboxPolicy, permission_of
from services.ingest.domain.cloud_events import NotCloudEvents
from services.ingest.domain.json_fields import string_at
from services.ingest.domain.json_guard import Malformed
from services.ingest.domain.kafka_events import read_record
from shared.events import Event
from shared.events.topics import CONTACT_INBOX
from shared.ids import KeyedIds
from shared.streams import (
    Effects,
    Find,
    ForeignRecord,
    Incoming,
    Processor,
    Received,
    Refused,
    State,
)

NAME = "ingest-inbox"
_UNKNOWN_SOURCE = "unknown-source: The event's source is not listed under inbox in channels.yaml."


class Inbox:
    """Takes the sources that `channels.yaml` lists under `inbox`."""

    def __init__(self, policy: Sequence[InboxPolicy], ids: KeyedIds) -> None:
        self._policy, self._ids = policy, ids

    def processor(self) -> Processor:
        """Return the consumer of the inbox."""
        topics = (CONTACT_INBOX.name,)
        return Processor(NAME, topics, _needs, _decide, rounds=1, decode=self.decode)

    def decode(self, record: ForeignRecord) -> Sequence[Event]:
        """Return the record's event as it will be published, or raise `Refused`.

        `received_at` is when Kafka took the record, so that reading it again gives the same.
        """
        try:
            item = read_record(record.headers, record.value)
        except (Malformed, NotCloudEvents) as error:
            raise Refused(f"malformed: {error.problem}") from None
        permission = permission_of(self._policy, string_at(item, "source") or "")
        if permission is None:
            raise Refused(_UNKNOWN_SOURCE)
        events, errors = translate([item], Stamp(permission, record.kept_at, self._ids))
        if errors:
            raise Refused(f"{errors[0].code}: {errors[0].message}")
        return events


def _needs(_incoming: Sequence[Incoming], _state: State) -> Iterable[Find]:
    return ()


def _decide(incoming: Sequence[Incoming], _state: State, _now: datetime) -> Effects:
    """Publish every event, one that came twice in a batch once."""
    effects = Effects()
    published: set[str] = set()
    for one in incoming:
        if isinstance(one, Received) and one.event.id not in published:
            published.add(one.event.id)
            effects.publish(one.event, because=one)
            effects.count("ingest_events_total", provider=CONTACT_INBOX.name, type=one.event.type)
    return effects
