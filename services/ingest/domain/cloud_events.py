"""CloudEvents 1.0.2 over HTTP: structured, binary and batch, each read to plain JSON objects.

Source: "HTTP Protocol Binding for CloudEvents", version 1.0.2, sections 3.1 to 3.3.
"""

from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import unquote

from services.ingest.domain import limits
from services.ingest.domain.json_guard import parse_json
from shared.errors import ThroughlineError

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
BINARY = "application/json"
Mode = Literal["structured", "batch", "binary"]
MODES: dict[str, Mode] = {STRUCTURED: "structured", BATCH: "batch", BINARY: "binary"}


class NotCloudEvents(ThroughlineError):
    """A request is no CloudEvent in any of the three modes."""


def read_events(
    media_type: str, headers: Iterable[tuple[str, bytes]], body: bytes
) -> list[dict[str, Any]]:
    """Return the events of a request as JSON objects, not validated further.

    Raises `NotCloudEvents` or `json_guard.Malformed`.
    """
    mode = MODES.get(media_type)
    if mode is None:
        raise NotCloudEvents(
            "The content type is none of CloudEvents.", f"Send {STRUCTURED}, {BATCH} or {BINARY}."
        )
    content = parse_json(body)
    if mode == "binary":
        return [{**_attributes(headers), "data": content}]
    events = content if mode == "batch" else [content]
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise NotCloudEvents(
            "The body is not a CloudEvent, or not a list of them.",
            "Send one JSON object, or a JSON array of them in batch mode.",
        )
    if not 1 <= len(events) <= limits.BATCH:
        raise NotCloudEvents(
            "The batch is empty or too long.", f"Send 1 to {limits.BATCH} events at once."
        )
    return events


def _attributes(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    attributes = {}
    for name, value in headers:
        if not name.startswith("ce-"):
            continue
        if name[3:] in attributes or name == "ce-data":
            raise NotCloudEvents("A ce- header is given twice.", "Give each attribute once.")
        attributes[name[3:]] = unquote(value.decode("utf-8", "replace"), errors="replace")
    if "specversion" not in attributes:
        raise NotCloudEvents(
            "The request has no ce-specversion header.",
            f"In binary mode send the ce- headers; else send {STRUCTURED}.",
        )
    return attributes
