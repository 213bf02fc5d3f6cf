"""Whatever a stranger sends: declared refusals, no surprises, and nothing lost."""

import contextlib
import json
import math
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.payloads.own_events import Stamp, translate
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.domain import limits
from services.ingest.domain.channels import ApiKeyPolicy
from services.ingest.domain.cloud_events import MODES, NotCloudEvents, read_events
from services.ingest.domain.html_text import text_of_html
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.domain.quoting import newest_text
from services.ingest.domain.text import clean, cut
from services.ingest.parse import parse_payload
from shared.events import decode, encode
from shared.events.topics import HOME
from tests.support.builders_ingest import (
    ACCOUNTS,
    IDS,
    NOW,
    message_event,
    payload,
    payload_names,
    request,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["x-hub-signature-256", "x-twilio-signature", "content-type", "envelope-to", "x"]
        ),
        st.binary(max_size=80) | st.sampled_from([b"application/json", b"sha256=" + b"0" * 64]),
    ),
    max_size=4,
).map(tuple)
PROVIDERS = st.sampled_from(sorted(ADAPTERS))
DOORS = st.sampled_from([name for name in sorted(ADAPTERS) if ADAPTERS[name].transport != "client"])
"""Providers that come to us: whoever we connect to ourselves proves nothing in a packet."""
MESSENGERS = (
    "instagram",
    "line",
    "messenger",
    "slack",
    "telegram",
    "viber",
    "whatsapp",
    "x",
)


@given(DOORS, st.binary(max_size=300), HEADERS, st.text(max_size=50))
def test_no_request_is_verified_or_breaks_the_verifier(
    provider: str, body: bytes, headers: tuple[tuple[str, bytes], ...], query: str
) -> None:
    with pytest.raises(SignatureRefused):
        ADAPTERS[provider].verify(RawRequest(body, headers, query), ACCOUNTS[provider], NOW)


@given(PROVIDERS, st.binary(max_size=500), HEADERS)
def test_no_body_breaks_a_parser(
    provider: str, body: bytes, headers: tuple[tuple[str, bytes], ...]
) -> None:
    with contextlib.suppress(Unparseable):
        ADAPTERS[provider].parse(RawRequest(body, headers), ACCOUNTS[provider], NOW, IDS)


@given(st.data(), PROVIDERS)
@settings(max_examples=200)
def test_no_damage_to_a_real_payload_breaks_a_parser(data: Any, provider: str) -> None:
    body = bytearray(payload(provider, data.draw(st.sampled_from(payload_names(provider)))))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, max(0, len(body) - 1)))
        body[place : place + data.draw(st.integers(0, 10))] = data.draw(st.binary(max_size=6))
    with contextlib.suppress(Unparseable):
        ADAPTERS[provider].parse(request(provider, bytes(body)), ACCOUNTS[provider], NOW, IDS)


def _replaced(value: Any, data: Any) -> Any:
    """Return the JSON with some of its values replaced by anything."""
    if data.draw(st.integers(0, 12)) == 0:
        return data.draw(JSON)
    if isinstance(value, dict):
        return {key: _replaced(inner, data) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, data) for inner in value]
    return value


@given(st.data())
@settings(max_examples=200)
def test_a_messenger_of_any_shape_gives_events_that_survive_their_topic(data: Any) -> None:
    provider = data.draw(st.sampled_from(MESSENGERS))
    name = data.draw(st.sampled_from(payload_names(provider)))
    body = json.dumps(_replaced(json.loads(payload(provider, name)), data)).encode()
    for event in parse_payload(provider, ACCOUNTS[provider], body, NOW, IDS):
        assert "adapter:" not in getattr(event.data, "error", "")
        assert decode(HOME[event.type].name, encode(event)).id == event.id


@given(st.binary(max_size=400) | JSON.map(lambda value: json.dumps(value).encode()))
def test_json_is_read_or_malformed(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        parse_json(body)


def _holds_no_number(value: Any) -> bool:
    """Tell whether NaN or an infinity is in it, which JSON has no way to write."""
    if isinstance(value, float):
        return not math.isfinite(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_holds_no_number, parts))


@given(JSON)
def test_what_json_holds_is_read_unchanged_within_64_bits(value: Any) -> None:
    text = json.dumps(value)
    if _holds_no_number(value):
        with pytest.raises(Malformed):
            parse_json(text.encode())
        return
    assert json.dumps(parse_json(text.encode())).replace('"', "") == text.replace('"', "")


@given(st.integers(1, 200))
def test_depth_is_limited_exactly(depth: int) -> None:
    body = b"[" * depth + b"]" * depth
    if depth <= limits.JSON_DEPTH:
        parse_json(body)
    else:
        with pytest.raises(Malformed):
            parse_json(body)


@given(st.text(alphabet='[]{}":,\\ a1', max_size=60))
def test_brackets_in_strings_do_not_count(text: str) -> None:
    assert parse_json(json.dumps([text * 50]).encode()) == [text * 50]


@given(st.text())
def test_newest_text_is_part_of_the_text(text: str) -> None:
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    assert newest_text(text) in unified or newest_text(text) == text.strip()


@given(st.text())
def test_html_of_any_shape_is_read(html: str) -> None:
    assert "\r" not in text_of_html(html)


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_clean_text_can_be_encoded_and_good_text_is_untouched(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    if "\ufffd" not in cleaned:
        assert cleaned == text


@given(st.text(), st.integers(0, 50))
def test_a_cut_text_says_that_it_is_cut(text: str, limit: int) -> None:
    short, truncated = cut(text, limit)
    assert len(short) <= limit
    assert truncated == (short != clean(text))


@given(
    st.sampled_from(sorted(MODES)),
    HEADERS,
    st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()),
)
def test_cloud_events_are_read_or_refused(
    media_type: str, headers: tuple[tuple[str, bytes], ...], body: bytes
) -> None:
    try:
        events = read_events(media_type, headers, body)
    except (NotCloudEvents, Malformed):
        return
    assert all(isinstance(event, dict) for event in events)


@given(st.data())
@settings(max_examples=200)
def test_an_integrators_item_of_any_shape_is_an_event_or_an_error(data: Any) -> None:
    item = _replaced(message_event(), data)
    items = [item if isinstance(item, dict) else {}]
    key = ApiKeyPolicy.model_validate({"integrator": "a", "prefix": "aa", "sha256": "env:A"})
    events, errors = translate(items, Stamp(key, NOW, IDS))
    assert len(events) + len(errors) == 1
    for event in events:
        assert decode(HOME[event.type].name, encode(event)) == event


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"' + b"[" * 70 + b'"' + b',"":""' * 3_000_000 + b"}",
        b'{"a":"' + b"[" * 70 + b'"' + b'""' * 8_000_000,
        b"[" * 70 + b'"' + b'\\"' * 8_000_000,
    ],
    ids=["many short strings", "strings without commas", "one string of escaped quotes"],
)
def test_a_body_of_millions_of_quotes_is_refused_without_being_read(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(Malformed):
        parse_json(body)
    refused = time.process_time() - started
    started = time.process_time()
    body.count(b'"')
    assert refused < 0.05 + 50 * (time.process_time() - started)  # counting, not walking


def test_brackets_colons_and_commas_in_strings_are_not_structure() -> None:
    text = "[{:," * 60_000
    assert parse_json(json.dumps({"a": [text, text]}).encode()) == {"a": [text, text]}
