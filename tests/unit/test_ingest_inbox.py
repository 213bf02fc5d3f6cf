"""The contact inbox: records of any shape become events or are refused with a reason."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.payloads.own_events import Stamp, translate
from services.ingest.domain.channels import InboxPolicy, permission_of
from services.ingest.domain.cloud_events import NotCloudEvents
from services.ingest.domain.json_guard import Malformed
from services.ingest.domain.kafka_events import read_record
from services.ingest.inbox import Inbox
from shared.events.customers import CustomerRecorded
from shared.streams import ForeignRecord, Received, Refused, State
from tests.support.builders_ingest import IDS, NOW, message_event

PORTAL = InboxPolicy(source="/demo-portal", integrator="demo-portal", customer_records=True)
STRUCTURED = (("content-type", b"application/cloudevents+json; charset=utf-8"),)
Headers = tuple[tuple[str, bytes | None], ...]


def record(value: Any, headers: Headers = STRUCTURED) -> ForeignRecord:
    body = value if isinstance(value, bytes | None) else json.dumps(value).encode()
    return ForeignRecord(body, headers, NOW)


def binary(event: dict[str, Any], *more: tuple[str, bytes | None]) -> ForeignRecord:
    attributes = {name: value for name, value in event.items() if name != "data"}
    headers = tuple((f"ce_{name}", str(value).encode()) for name, value in attributes.items())
    return record(event["data"], (*headers, ("content-type", b"application/json"), *more))


def decode(given: ForeignRecord, *policy: InboxPolicy) -> Any:
    (event,) = Inbox(policy or (PORTAL,), IDS).decode(given)
    return event


def refusal(given: ForeignRecord, *policy: InboxPolicy) -> str:
    with pytest.raises(Refused) as refused:
        decode(given, *policy)
    return refused.value.reason


def test_structured_and_binary_mode_give_what_the_http_door_gives() -> None:
    (over_http,), _ = translate([message_event()], Stamp(PORTAL, NOW, IDS))
    assert decode(record(message_event())) == over_http
    assert decode(record(message_event(), ())) == over_http
    assert decode(binary(message_event())) == over_http


def test_headers_of_others_may_hold_anything_and_a_null_header_counts_as_absent() -> None:
    strange = (("trace", b"\xff\xfe"), ("empty", None), ("ce_subject", None))
    assert decode(binary(message_event(), *strange)) == decode(record(message_event()))


def test_a_customer_record_with_purchases_comes_in_too() -> None:
    data = {
        "contact_points": ["email:Ana.Kovac@example.si", "tel:+386 40 123 456"],
        "purchases": [{"purchase_id": "A-1", "what": "Box", "bought_at": "2026-10-01T10:00:00Z"}],
        "verified": ["tel:+386 40 123 456"],
        "recorded_at": "2026-11-01T00:00:00Z",
    }
    event = decode(record(message_event(type=CustomerRecorded.wire_type, data=data)))
    assert isinstance(event, CustomerRecorded)
    assert event.data.verified == ("tel:+38640123456",)
    assert event.data.purchases[0].what == "Box"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (record(None), "malformed: The record has no value."),
        (record(b""), "malformed: The body is not valid JSON."),
        (record(b"\xff\xfe"), "malformed: The body is not valid JSON."),
        (record(b"[" * 100_000), "malformed: The JSON is too deep"),
        (record([message_event()]), "malformed: The value is not a JSON object."),
        (record({}), "unknown-source: "),
        (record(message_event(source="/demo-portal/x")), "unknown-source: "),
        (record(message_event(source=7)), "unknown-source: "),
        (record(message_event(id="")), "invalid: The attribute id"),
        (record(message_event(type="com.example.order")), "foreign-type: "),
        (record(message_event(data_txet="x")), "invalid: The event is not valid (txet:"),
        (record(message_event(data_contact_points=["ana"])), "invalid-contact-point: "),
        (record(message_event(data_raw={"a": "\ud800"})), "invalid: The data holds text"),
        (record(message_event(data_raw={"a": "x" * 2**20})), "too-large: "),
        (
            record([message_event()], (("content-type", b"application/cloudevents-batch+json"),)),
            "malformed: The record is no single CloudEvent",
        ),
        (
            record(b"<a/>", (("content-type", b"application/cloudevents+xml"),)),
            "malformed: The record is no single CloudEvent",
        ),
        (binary(message_event(), ("ce_subject", b"\xff")), "malformed: A header of the CloudEvent"),
        (binary(message_event(), ("ce_id", b"2")), "malformed: A ce_ header is given twice."),
        (binary(message_event(), ("ce_data", b"{}")), "malformed: A ce_ header is given twice."),
    ],
)
def test_what_is_wrong_with_a_record_is_said(given: ForeignRecord, reason: str) -> None:
    assert refusal(given).startswith(reason)


def test_binary_data_that_is_not_json_is_refused() -> None:
    headers = tuple(
        (name, b"text/xml" if name == "content-type" else value)
        for name, value in binary(message_event()).headers
    )
    assert refusal(record(message_event()["data"], headers)) == "invalid: The data is not JSON."


def test_a_source_may_only_name_its_channel_accounts() -> None:
    other = InboxPolicy(source="/demo-portal", integrator="x", channel_accounts=("website/main",))
    assert refusal(record(message_event()), other).startswith("forbidden-channel-account: ")


def test_a_source_that_may_not_send_customer_records_is_refused() -> None:
    strict = InboxPolicy(source="/demo-portal", integrator="x")
    data = {"contact_points": ["email:ana@example.si"], "recorded_at": "2026-11-01T00:00:00Z"}
    event = message_event(type=CustomerRecorded.wire_type, data=data)
    assert refusal(record(event), strict).startswith("forbidden-customer-records: ")


def test_a_verified_contact_point_must_be_listed() -> None:
    data = {
        "contact_points": ["email:ana@example.si"],
        "verified": ["tel:+38640123456"],
        "recorded_at": "2026-11-01T00:00:00Z",
    }
    event = message_event(type=CustomerRecorded.wire_type, data=data)
    assert refusal(record(event)).startswith("invalid: A verified contact point")


def test_the_entry_that_says_most_about_a_source_counts() -> None:
    entries = [
        InboxPolicy(source=source, integrator=f"i{n}")
        for n, source in enumerate(("/a*", "/a/b*", "/a/b", "/a/b/c*"))
    ]
    wanted = {"/a": "i0", "/a/b": "i2", "/a/bc": "i1", "/a/b/c": "i3", "/x": None}
    found = {source: permission_of(entries, source) for source in wanted}
    assert {s: entry and entry.integrator for s, entry in found.items()} == wanted


def test_the_time_of_a_source_that_is_not_trusted_is_when_kafka_took_it() -> None:
    doubted = InboxPolicy(source="/demo-portal", integrator="x", trusted_time=False)
    event = decode(record(message_event()), doubted)
    assert event.time == event.data.received_at == NOW


def test_an_event_that_came_twice_in_a_batch_is_published_once() -> None:
    event = decode(record(message_event()))
    processor = Inbox((PORTAL,), IDS).processor()
    incoming = [Received(event, "ingest-inbox/contact-inbox/0")] * 2
    effects = processor.decide(incoming, State(), NOW)
    assert [publish.event for publish in effects.publishes] == [event]


@given(
    value=st.none() | st.binary(max_size=200) | st.text().map(str.encode),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["content-type", "ce_id", "CE_TYPE", "ce_", "ce_source", "other"])
            | st.text(max_size=8),
            st.none() | st.binary(max_size=40) | st.just(b"application/cloudevents+json"),
        ),
        max_size=6,
    ),
)
def test_no_record_does_anything_but_decode_or_be_refused(
    value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    with contextlib.suppress(NotCloudEvents, Malformed):
        read_record(headers, value)
    with pytest.raises(Refused):
        Inbox((InboxPolicy(source="*", integrator="any"),), IDS).decode(
            ForeignRecord(value, tuple(headers), NOW)
        )
