"""The page that shows a service's contracts: its topics, events and HTTP operations.

One HTML file without scripts; its style is inside it and named in the policy by its hash.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from shared.contracts import CONTRACT_VERSION
from shared.contracts.examples import as_sent, examples
from shared.contracts.fields import Field, fields, type_of
from shared.contracts.schemas import inbox_schema, schema
from shared.events import Event
from shared.events.topics import CONTACT_INBOX, TOPICS, Topic

_TEMPLATES = Path(__file__).parent / "templates"
_STYLE = (_TEMPLATES / "contracts.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True, slots=True)
class EventView:
    """An event type as it is shown; `sent` says which fields integrators send, if they may."""

    type: str
    title: str
    says: str
    topics: tuple[str, ...]
    fields: list[Field]
    sent: Mapping[str, bool] | None
    example: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an operation: its status and what it means."""

    status: str
    means: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One HTTP operation; `parameters` and `body` have the fields it takes."""

    method: str
    path: str
    says: str
    media_types: tuple[str, ...]
    parameters: list[Field]
    body: list[Field]
    answers: list[Answer]


def render(service: str, openapi: Mapping[str, Any]) -> str:
    """Return the page of a service as HTML."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = marked
    topics = [t for t in TOPICS if service in (*t.producers, *t.consumers)]
    return environment.get_template("contracts.html").render(
        service=service,
        version=CONTRACT_VERSION,
        style=_STYLE,
        topics=topics,
        events=list(_events(topics)),
        operations=list(_operations(openapi)),
    )


def marked(text: str) -> Markup:
    """Return text as HTML, what stands between backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def _events(topics: list[Topic]) -> Iterator[EventView]:
    kinds = {kind.wire_type: kind for topic in topics for kind in topic.events}
    for name in sorted(kinds):
        where = tuple(topic.name for topic in topics if kinds[name] in topic.events)
        yield _event(kinds[name], where)


def _event(kind: type[Event], topics: tuple[str, ...]) -> EventView:
    taken = CONTACT_INBOX.name in topics
    sent = fields(inbox_schema(kind)) if taken else []
    example = examples()[kind.wire_type][0]
    return EventView(
        type=kind.wire_type,
        title=kind.__name__,
        says=(kind.__doc__ or "").strip(),
        topics=topics,
        fields=fields(schema(kind)),
        sent={field.path: field.always for field in sent} if taken else None,
        example=json.dumps(as_sent(example) if taken else example, indent=2, ensure_ascii=False),
    )


def _operations(openapi: Mapping[str, Any]) -> Iterator[Operation]:
    for path, methods in openapi.get("paths", {}).items():
        for method in _METHODS:
            if method in methods:
                yield _operation(method, path, methods[method], openapi)


def _operation(
    method: str, path: str, given: Mapping[str, Any], root: Mapping[str, Any]
) -> Operation:
    content = given.get("requestBody", {}).get("content", {})
    body = next((fields(one.get("schema", {}), root) for one in content.values()), [])
    parameters = [
        Field(
            f"{one['name']} ({one['in']})",
            type_of(one.get("schema", {}), root),
            one.get("required", False),
            "",
        )
        for one in given.get("parameters", ())
    ]
    answers = [Answer(status, one["description"]) for status, one in given["responses"].items()]
    return Operation(
        method=method.upper(),
        path=path,
        says=given.get("description") or given.get("summary", ""),
        media_types=tuple(content),
        parameters=parameters,
        body=body,
        answers=answers,
    )
