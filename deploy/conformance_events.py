"""What an integrator may send to the events API, and what it must refuse, in each mode."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from services.ingest.adapters.request import RawRequest
from services.ingest.domain.cloud_events import BATCH, BINARY, STRUCTURED

_Right = tuple[int, ...]
_Request = tuple[str, RawRequest, str, _Right]


def api_requests(url: str, key: str, *, send: bool) -> Iterator[_Request]:
    """Yield name, request, URL and right statuses; only `send` leaves anything behind."""
    base = url.rstrip("/").removesuffix(":validate").removesuffix("/v1/events")
    target = f"{base}/v1/events" + ("" if send else ":validate")
    good = (202,) if send else (200,)
    yield from (
        (name, _authorised(key, media_type, body, more), target, right)
        for name, media_type, body, more, right in _bodies(good)
    )
    event = _json(_event())
    for name, headers in {
        "no key": (),
        "a key that is none": (("authorization", b"Bearer nobody.nothing"),),
        "two keys": (("authorization", f"Bearer {key}".encode()), ("x-api-key", key.encode())),
        "a key in the wrong scheme": (("authorization", f"Basic {key}".encode()),),
    }.items():
        given = (("content-type", STRUCTURED.encode()), *headers)
        yield name, RawRequest(event, given), target, (401,)


def _bodies(
    good: _Right,
) -> Iterator[tuple[str, str, bytes, tuple[tuple[str, bytes], ...], _Right]]:
    event = _event()
    data: dict[str, Any] = event["data"]
    attributes = tuple(
        (f"ce-{name}", quote(value).encode()) for name, value in event.items() if name != "data"
    )
    bad = (400, 422)
    yield "structured", STRUCTURED, _json(event), (), good
    yield "batch", BATCH, _json([event, _event("2")]), (), good
    yield "binary", BINARY, _json(data), attributes, good
    yield "binary without ce- headers", BINARY, _json(data), (), bad
    yield "an empty batch", BATCH, b"[]", (), bad
    yield "a batch with one wrong", BATCH, _json([event, {**event, "specversion": "9"}]), (), bad
    yield "not JSON", STRUCTURED, b"{", (), bad
    yield "JSON too deep", STRUCTURED, b"[" * 5_000, (), bad
    yield "not UTF-8", STRUCTURED, b"\xff\xfe", (), bad
    yield "another content type", "text/plain", _json(event), (), (415,)
    yield "a body too large", STRUCTURED, b" " * (5 * 1024 * 1024), (), (413,)
    for name in ("specversion", "id", "source", "type", "data"):
        rest = {key: value for key, value in event.items() if key != name}
        yield f"without {name}", STRUCTURED, _json(rest), (), bad
    changed: dict[str, dict[str, Any]] = {
        "a foreign type": {"type": "com.example.order.placed"},
        "a type of no version": {"type": "throughline.nobody.knows.v1"},
        "a time without a zone": {"time": "2026-11-03T09:15:00"},
        "an unknown field": {"data": {**data, "txt": "a typing error"}},
        "no contact point": {"data": {**data, "contact_points": []}},
        "an impossible contact point": {"data": {**data, "contact_points": ["tel:0"]}},
    }
    for name, changes in changed.items():
        yield name, STRUCTURED, _json({**event, **changes}), (), bad


def _authorised(
    key: str, media_type: str, body: bytes, more: tuple[tuple[str, bytes], ...]
) -> RawRequest:
    credentials = ("authorization", f"Bearer {key}".encode())
    return RawRequest(body, (("content-type", media_type.encode()), credentials, *more))


def _event(own_id: str = "1") -> dict[str, Any]:
    moment = datetime.now(UTC)
    return {
        "specversion": "1.0",
        "id": f"conformance-{moment:%Y%m%d%H%M%S%f}-{own_id}",
        "source": "/conformance",
        "type": "throughline.message.received.v1",
        "time": moment.isoformat(),
        "data": {
            "channel": "portal",
            "provider": "conformance",
            "channel_account": "main",
            "conversation_id": "conformance",
            "contact_points": ["email:conformance@example.com"],
            "message_id": f"conformance-{own_id}",
            "text": "This message examines the events API.",
        },
    }


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
