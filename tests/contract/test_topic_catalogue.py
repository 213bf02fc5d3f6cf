"""The topic catalogue tells the truth about who reads and who writes what."""

import re
from pathlib import Path
from typing import Any

import pytest

from deploy.openapi import built
from services.ingest.adapters.payloads.own_events import _TYPES
from shared.contracts.asyncapi import SERVICES
from shared.events import decode
from shared.events.topics import CONTACT_INBOX, DEAD_LETTER_TOPIC, HOME, TOPICS
from shared.streams.effects import Publish
from shared.streams.publisher import NotAProducer
from shared.streams.unit import DecisionFailed, Units
from tests.support.examples import FOLDER

ROOT = Path(__file__).resolve().parents[2]
DECIDING = [
    (topic.producers, kind)
    for topic in TOPICS
    for kind in topic.events
    if set(topic.producers) <= {"routing", "sla", "profile"}
]


def test_services_read_exactly_the_topics_the_catalogue_says() -> None:
    read = {
        (topic, name)
        for name in SERVICES
        for one in built(name)._processors
        for topic in one.topics
    }
    assert read == {
        (topic.name, reader) for topic in TOPICS for reader in topic.consumers if reader in SERVICES
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_publish_exactly_what_the_catalogue_says(service: str) -> None:
    publisher = built(service).publisher
    written = set()
    for wire_type, topic in HOME.items():
        event = decode(topic.name, (FOLDER / f"{wire_type}.json").read_bytes())
        try:
            written.add(publisher.outgoing(event).topic)
        except NotAProducer:
            continue
    assert written == {topic.name for topic in TOPICS if service in topic.producers}


@pytest.mark.parametrize(("producers", "kind"), DECIDING, ids=lambda v: getattr(v, "__name__", ""))
def test_an_event_of_the_catalogue_is_made_in_its_producers_code(
    producers: tuple[str, ...], kind: type
) -> None:
    for service in producers:
        code = "".join(path.read_text() for path in (ROOT / "services" / service).rglob("*.py"))
        assert re.search(rf"\b{kind.__name__}\b", code)


def test_a_decision_to_publish_on_anothers_topic_fails() -> None:
    event = decode("sla-events", (FOLDER / "throughline.clock.met.v1.json").read_bytes())
    nothing: Any = None
    units = Units(nothing, nothing, nothing, built("routing").publisher.outgoing)
    with pytest.raises(DecisionFailed, match="NotAProducer"):
        units.encode([Publish(event, "routing-matcher/routing-commands/0")])


def test_integrators_may_send_exactly_what_the_inbox_takes() -> None:
    assert set(_TYPES.values()) == set(CONTACT_INBOX.events)


def test_every_service_may_write_dead_letters() -> None:
    assert set(DEAD_LETTER_TOPIC.producers) == set(SERVICES)
