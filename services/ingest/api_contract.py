"""What the OpenAPI document says of the events API: its bodies and answers.

The bodies are CloudEvents; what `data` holds for each type is in the JSON Schemas that are served
beside the document, as `/schemas/inbox/<type>.json`.
"""

from typing import Any

from fastapi import Depends
from fastapi.security import APIKeyHeader, HTTPBearer

from services.ingest.domain import limits
from services.ingest.domain.cloud_events import BATCH, BINARY, STRUCTURED
from shared.contracts.examples import as_sent, examples
from shared.events.topics import CONTACT_INBOX

_EXAMPLE = as_sent(examples()["throughline.form.submitted.v1"][0])
_EVENT = {
    "type": "object",
    "description": "A CloudEvent 1.0; /schemas/inbox/<type>.json has the whole schema of each "
    "type. Every attribute but these is optional, `time` says when it happened.",
    "required": ["specversion", "type", "id", "source", "data"],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "type": {"type": "string", "enum": sorted(kind.wire_type for kind in CONTACT_INBOX.events)},
        "id": {"type": "string", "minLength": 1, "maxLength": 256},
        "source": {"type": "string", "minLength": 1, "maxLength": 512},
        "time": {"type": "string", "format": "date-time"},
        "subject": {"type": "string"},
        "data": {"type": "object"},
    },
}
_BATCH = {"type": "array", "minItems": 1, "maxItems": limits.BATCH, "items": _EVENT}
_DATA = {"type": "object", "description": "The data alone; the attributes are `ce-` headers."}
_TEXT = {"type": "string"}
_ERROR = {
    "type": "object",
    "required": ["code", "message", "fix"],
    "properties": {"code": _TEXT, "message": _TEXT, "fix": _TEXT},
}
_ITEM = {
    "type": "object",
    "required": ["index", "code", "message", "fix"],
    "properties": {"index": {"type": "integer"}, "code": _TEXT, "message": _TEXT, "fix": _TEXT},
}
_REFUSAL = {"type": "object", "required": ["error"], "properties": {"error": _ERROR}}
_REFUSED_ITEMS = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": _ERROR, "items": {"type": "array", "items": _ITEM}},
}

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED: {"schema": _EVENT, "example": _EXAMPLE},
            BATCH: {"schema": _BATCH, "example": [_EXAMPLE]},
            BINARY: {"schema": _DATA, "example": _EXAMPLE["data"]},
        },
    }
}
SECURITY = (
    Depends(HTTPBearer(auto_error=False, description="the API key, `<prefix>.<secret>`")),
    Depends(APIKeyHeader(name="X-API-Key", auto_error=False)),
)
"""For the document alone: `keys.require_key` is what lets in."""


def _answer(means: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": means, "content": {"application/json": {"schema": schema}}}


def _list_of(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [name], "properties": {name: schema}}


ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: _answer(
        "Kafka has acknowledged every event; `accepted` holds their ids.",
        _list_of("accepted", {"type": "array", "items": {"type": "string"}}),
    ),
    400: _answer("The body is no CloudEvent in JSON.", _REFUSAL),
    401: _answer("No valid API key.", _REFUSAL),
    413: _answer("The body is too large.", _REFUSAL),
    415: _answer("The content type is none of CloudEvents.", _REFUSAL),
    422: _answer(
        "Refused as a whole; `items` says what is wrong with which event.", _REFUSED_ITEMS
    ),
    429: _answer("Too many at once or in a minute; again after Retry-After seconds.", _REFUSAL),
    503: _answer("Not known to be durable; send the same again.", _REFUSAL),
}
VALIDATED: dict[int | str, dict[str, Any]] = {
    200: _answer("`valid` events would be taken.", _list_of("valid", {"type": "integer"})),
    **{status: ACCEPTED[status] for status in (400, 401, 413, 415, 422, 429)},
}
