"""The AsyncAPI document, made from the topic catalogue, the event models and the examples.

Source: AsyncAPI 3.0.0, https://www.asyncapi.com/docs/reference/specification/v3.0.0, and its Kafka
bindings 0.5.0. Payloads refer to the JSON Schemas beside it.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal

import yaml

from shared.contracts import CONTRACT_VERSION
from shared.contracts.examples import as_sent, examples
from shared.contracts.schemas import event_types
from shared.events import Event
from shared.events.topics import CONTACT_INBOX, TOPICS, Topic

SERVICES = ("ingest", "routing", "sla", "profile")
STRUCTURED = "application/cloudevents+json"
_BINDING = "0.5.0"
_DOING = {"send": "writes to", "receive": "reads"}
Action = Literal["send", "receive"]

_HEADERS = {
    "type": "object",
    "description": "None is needed: the whole CloudEvent is the record's value (structured mode).",
    "properties": {"content-type": {"type": "string", "enum": [STRUCTURED]}},
}
_INBOX_HEADERS = {
    "type": "object",
    "description": "Structured mode: `content-type` application/cloudevents+json, or no header at "
    "all. Binary mode: the attributes as `ce_` headers, the data alone as value, and "
    "`content-type` application/json. Headers are UTF-8.",
    "properties": {
        "content-type": {"type": "string", "enum": [STRUCTURED, "application/json"]},
        "ce_specversion": {"type": "string", "enum": ["1.0"]},
        "ce_type": {"type": "string"},
        "ce_source": {"type": "string", "maxLength": 512},
        "ce_id": {"type": "string", "maxLength": 256},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string"},
    },
}


def asyncapi() -> dict[str, Any]:
    """Return the document: a channel per topic, a message per event type, who sends and reads."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Throughline",
            "version": CONTRACT_VERSION,
            "description": "Every topic of Throughline: who writes it, who reads it, and every "
            "event on it. Events are CloudEvents 1.0 in JSON. Fields may be added within v1: "
            "ignore those you do not know.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": STRUCTURED,
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": dict(_operations()),
        "components": {
            "messages": dict(_messages()),
            "schemas": {"headers": _HEADERS, "inbox-headers": _INBOX_HEADERS},
        },
    }


def asyncapi_yaml() -> str:
    """Return the document as its file holds it."""
    text: str = yaml.dump(
        asyncapi(), Dumper=_NoAliases, sort_keys=False, allow_unicode=True, width=100
    )
    return text


class _NoAliases(yaml.SafeDumper):
    """Writes the same thing out each time: anchors are for machines."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _channel(topic: Topic) -> dict[str, Any]:
    writers, readers = ", ".join(topic.producers), ", ".join(topic.consumers)
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"Written by {writers}; read by {readers or 'whoever wants to'}. "
        f"Key: {topic.key}. A deployment may put a prefix before the name.",
        "messages": {
            kind.wire_type: {"$ref": f"#/components/messages/{_name(topic, kind)}"}
            for kind in topic.events
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": int(topic.retention.total_seconds() * 1000),
                    "max.message.bytes": topic.max_message_bytes,
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _operations() -> Iterable[tuple[str, dict[str, Any]]]:
    parties: tuple[tuple[Action, Callable[[Topic], tuple[str, ...]]], ...] = (
        ("receive", lambda topic: topic.consumers),
        ("send", lambda topic: topic.producers),
    )
    for service in SERVICES:
        for action, who in parties:
            for topic in TOPICS:
                if service in who(topic):
                    yield f"{service}.{action}.{topic.name}", _operation(service, action, topic)


def _operation(service: str, action: Action, topic: Topic) -> dict[str, Any]:
    channel = f"#/channels/{topic.name}"
    return {
        "action": action,
        "title": f"{service} {_DOING[action]} {topic.name}",
        "channel": {"$ref": channel},
        "tags": [{"name": service}],
        "messages": [{"$ref": f"{channel}/messages/{kind.wire_type}"} for kind in topic.events],
    }


def _messages() -> Iterable[tuple[str, dict[str, Any]]]:
    homes = {kind: topic for topic in TOPICS for kind in topic.events if topic is not CONTACT_INBOX}
    for kind in event_types():
        yield kind.wire_type, _message(kind, homes[kind])
    for kind in sorted(CONTACT_INBOX.events, key=lambda kind: kind.wire_type):
        yield _name(CONTACT_INBOX, kind), _message(kind, CONTACT_INBOX)


def _message(kind: type[Event], topic: Topic) -> dict[str, Any]:
    inbox = topic is CONTACT_INBOX
    folder = "schemas/inbox" if inbox else "schemas"
    shown = examples()[kind.wire_type]
    headers = "inbox-headers" if inbox else "headers"
    return {
        "name": kind.wire_type,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").strip().partition("\n")[0],
        "contentType": STRUCTURED,
        "headers": {"$ref": f"#/components/schemas/{headers}"},
        "payload": {"$ref": f"./{folder}/{kind.wire_type}.json"},
        "correlationId": {
            "description": "The event this one follows from.",
            "location": "$message.payload#/causationid",
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "bindingVersion": _BINDING,
            }
        },
        "examples": [{"payload": as_sent(event) if inbox else event} for event in shown],
    }


def _name(topic: Topic, kind: type[Event]) -> str:
    return f"inbox.{kind.wire_type}" if topic is CONTACT_INBOX else kind.wire_type
