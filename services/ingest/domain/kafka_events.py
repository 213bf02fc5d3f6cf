"""A CloudEvent in a Kafka record, in binary or structured mode, read to a plain JSON object.

Source: "Kafka Protocol Binding for CloudEvents", version 1.0.2, sections 3.1 to 3.3. The content
type `application/cloudevents` says structured; a record without content type and without `ce_`
headers is taken for structured, too, because many producers cannot set headers.
"""

from collections.abc import Iterable
from typing import Any

from services.ingest.domain.cloud_events import STRUCTURED, NotCloudEvents
from services.ingest.domain.json_guard import parse_json

_CLOUD_EVENTS = "application/cloudevents"
_PREFIX = "ce_"
_CONTENT_TYPE = "content-type"


def read_record(headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> dict[str, Any]:
    """Return the event of a record as a JSON object, not validated further.

    A header without a value counts as absent; other headers than those of CloudEvents may hold
    anything. Raises `NotCloudEvents` or `json_guard.Malformed`.
    """
    if value is None:
        raise NotCloudEvents("The record has no value.", "Send the event, or its data, as value.")
    own = _own_headers(headers)
    content_type = own.pop(_CONTENT_TYPE, None)
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type.startswith(_CLOUD_EVENTS):
        return _structured(media_type, value)
    if not own:
        return _structured(STRUCTURED, value)
    if content_type is not None:
        own["datacontenttype"] = content_type
    attributes = {name.removeprefix(_PREFIX): text for name, text in own.items()}
    return {**attributes, "data": parse_json(value)}


def _structured(media_type: str, value: bytes) -> dict[str, Any]:
    if media_type != STRUCTURED:
        raise NotCloudEvents(
            "The record is no single CloudEvent in JSON.", f"Send one event as {STRUCTURED}."
        )
    event = parse_json(value)
    if not isinstance(event, dict):
        raise NotCloudEvents("The value is not a JSON object.", "Send one CloudEvent as object.")
    return event


def _own_headers(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Return the headers of CloudEvents as text; nobody else's are looked into."""
    own: dict[str, str] = {}
    for name, value in headers:
        known = name.lower()
        if value is None or not (known.startswith(_PREFIX) or known == _CONTENT_TYPE):
            continue
        if known in own or known == f"{_PREFIX}data":
            raise NotCloudEvents("A ce_ header is given twice.", "Give each attribute once.")
        try:
            own[known] = value.decode()
        except UnicodeDecodeError:
            raise NotCloudEvents(
                "A header of the CloudEvent is not UTF-8.", "Write headers in UTF-8."
            ) from None
    return own
