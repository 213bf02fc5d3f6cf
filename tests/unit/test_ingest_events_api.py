"""The events API: CloudEvents from integrators, strict at the edge, stamped by us."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.ingest.api import EventsApi
from services.ingest.app import create_http
from services.ingest.domain import limits
from services.ingest.domain.gate import Gate
from services.ingest.webhooks import Webhooks
from tests.support.builders_ingest import API_KEY, IDS, NOW, Fakes, api_keys, message_event

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


async def post(
    fakes: Fakes,
    content: Any,
    media_type: str = STRUCTURED,
    path: str = "/v1/events",
    gate: Gate | None = None,
    key_policy: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Post to the events API with the demo shop's key."""
    intake = fakes.intake()
    keys = api_keys(**(key_policy or {}))
    app = create_http(Webhooks({}, intake, Gate()), EventsApi(keys, intake, gate or Gate()))
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = {"authorization": f"Bearer {API_KEY}", "content-type": media_type}
    given = {name: value for name, value in {**given, **(headers or {})}.items() if value}
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as http:
        return await http.post(path, content=body, headers=given)


async def test_a_structured_event_is_published_with_our_stamps() -> None:
    fakes = Fakes()
    answer = await post(fakes, message_event())
    assert answer.status_code == 202
    (event,) = fakes.publisher.events
    assert answer.json() == {"accepted": [event.id]}
    assert event.source == "/demo-portal"
    assert event.data.contact_points == ("email:ana.kovac@example.si",)
    assert event.data.received_at == NOW
    assert event.time == event.data.occurred_at == datetime(2026, 11, 3, 9, tzinfo=UTC)
    assert event.data.provider_event_id == "7"
    ours = IDS.conversation_id("demo-portal", "main", "thread-7")
    assert event.partitionkey == event.data.conversation_id == ours


async def test_binary_and_structured_give_the_same_event() -> None:
    fakes = Fakes()
    event = message_event()
    data = event.pop("data")
    await post(fakes, data, "application/json", headers={f"ce-{n}": v for n, v in event.items()})
    await post(fakes, message_event())
    assert fakes.publisher.events[0] == fakes.publisher.events[1]


async def test_a_batch_is_answered_with_an_id_for_each_event() -> None:
    fakes = Fakes()
    answer = await post(fakes, [message_event(id="1"), message_event(id="2")], BATCH)
    assert answer.json()["accepted"] == [event.id for event in fakes.publisher.events]
    assert len(set(answer.json()["accepted"])) == 2


async def test_the_same_event_sent_twice_has_one_id() -> None:
    fakes = Fakes()
    answer = await post(fakes, [message_event(), message_event()], BATCH)
    assert len(set(answer.json()["accepted"])) == 1
    assert len(fakes.publisher.events) == 1


async def test_another_integrators_source_and_id_are_another_event() -> None:
    fakes = Fakes()
    await post(fakes, message_event())
    await post(fakes, message_event(), key_policy={"integrator": "other-shop"})
    first, second = fakes.publisher.events
    assert first.id != second.id


async def test_a_reply_names_the_conversation_by_our_own_id() -> None:
    fakes = Fakes()
    conversation = IDS.conversation_id("whatsapp", "main", "SI.1")
    reply = message_event(
        type="throughline.message.sent.v1",
        data_provider="whatsapp",
        data_channel_account="main",
        data_conversation_id=conversation,
        data_sender="agent",
    )
    assert (await post(fakes, reply)).status_code == 202
    assert fakes.publisher.events[0].partitionkey == conversation


async def test_an_id_of_another_accounts_conversation_is_refused() -> None:
    fakes = Fakes()
    theirs = IDS.conversation_id("whatsapp", "main", "SI.1")
    scoped = {"channel_accounts": ["demo-portal/main"]}
    answer = await post(fakes, message_event(data_conversation_id=theirs), key_policy=scoped)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "foreign-conversation"
    assert fakes.publisher.events == []


async def test_what_only_looks_like_our_id_is_the_name_of_a_thread() -> None:
    fakes = Fakes()
    name = f"conv_{'z' * 32}"
    assert (await post(fakes, message_event(data_conversation_id=name))).status_code == 202
    ours = IDS.conversation_id("demo-portal", "main", name)
    assert fakes.publisher.events[0].partitionkey == ours


async def test_a_customer_record_is_keyed_by_its_first_contact_point() -> None:
    fakes = Fakes()
    record = message_event(
        type="throughline.customer.recorded.v1",
        data={
            "contact_points": ["email:Ana.Kovac@example.si", "tel:+386 40 123 456"],
            "name": "Ana Kovač",
            "recorded_at": "2026-11-01T00:00:00Z",
        },
    )
    assert (await post(fakes, record)).status_code == 202
    (event,) = fakes.publisher.events
    assert event.partitionkey == "email:ana.kovac@example.si"
    assert event.data.contact_points[1] == "tel:+38640123456"
    assert event.time == datetime(2026, 11, 1, tzinfo=UTC)


async def test_a_time_after_arrival_counts_as_the_arrival() -> None:
    fakes = Fakes()
    await post(fakes, message_event(time="2027-01-01T00:00:00Z"))
    assert fakes.publisher.events[0].time == NOW


async def test_the_time_of_a_key_that_is_not_trusted_counts_for_nothing() -> None:
    fakes = Fakes()
    await post(fakes, message_event(), key_policy={"trusted_time": False})
    assert fakes.publisher.events[0].time == NOW
    assert fakes.publisher.events[0].data.occurred_at == datetime(2026, 11, 3, 9, tzinfo=UTC)


async def test_an_integrator_cannot_say_when_we_received_it() -> None:
    fakes = Fakes()
    await post(fakes, message_event(data_received_at="2001-01-01T00:00:00Z"))
    assert fakes.publisher.events[0].data.received_at == NOW


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"specversion": "0.3"}, "invalid"),
        ({"id": ""}, "invalid"),
        ({"id": 7}, "invalid"),
        ({"id": "x" * 257}, "invalid"),
        ({"id": "\ud800"}, "invalid"),
        ({"source": None}, "invalid"),
        ({"type": "throughline.message.received.v9"}, "unknown-type"),
        ({"type": "throughline.case.opened.v1"}, "unknown-type"),
        ({"type": "com.example.order"}, "foreign-type"),
        ({"type": None}, "foreign-type"),
        ({"time": "yesterday"}, "invalid-time"),
        ({"time": "2026-11-03T09:00:00"}, "invalid-time"),
        ({"time": 5}, "invalid-time"),
        ({"datacontenttype": "text/xml"}, "invalid"),
        ({"data": "text"}, "invalid"),
        ({"data": []}, "invalid"),
        ({"data_base64": "e30="}, "invalid"),
        ({"data_conversation_id": None}, "invalid"),
        ({"data_message_id": None}, "invalid"),
        ({"data_message_id": 5}, "invalid"),
        ({"data_txet": "typing error"}, "invalid"),
        ({"data_channel": "Not A Word"}, "invalid"),
        ({"data_contact_points": []}, "invalid"),
        ({"data_contact_points": "tel:+38640123456"}, "invalid"),
        ({"data_contact_points": {"a": 1}}, "invalid"),
        ({"data_contact_points": [None]}, "invalid"),
        ({"data_contact_points": ["ana"]}, "invalid-contact-point"),
        ({"data_contact_points": ["tel:12"]}, "invalid-contact-point"),
        ({"data_contact_points": ["email:not an address"]}, "invalid-contact-point"),
        ({"data_text": "x" * 70_000}, "invalid"),
    ],
)
async def test_what_is_wrong_with_an_event_is_said_and_nothing_is_published(
    changes: dict[str, Any], code: str
) -> None:
    fakes = Fakes()
    event = message_event(**changes)
    if "data_base64" in changes:
        event["data_base64"] = event["data"].pop("base64")
    answer = await post(fakes, event)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["code"] == code
    assert fakes.publisher.events == []


BLOB = f"blob:{IDS.blob_id('demo-portal', 'main', 'somebody')}"
RECORDED: dict[str, Any] = {
    "type": "throughline.interaction.recorded.v1",
    "data_message_id": None,
    "data_text": None,
    "data_interaction_id": "call-1",
    "data_recording": {"reference": BLOB},
}


@pytest.mark.parametrize(
    "changes",
    [{"data_attachments": [{"reference": f"{BLOB}#1"}]}, {"data_original": BLOB}, RECORDED],
)
async def test_an_integrator_names_none_of_the_files_that_we_keep(changes: dict[str, Any]) -> None:
    fakes = Fakes()
    answer = await post(fakes, message_event(**changes))
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "forbidden-reference"
    assert fakes.publisher.events == []


LINKS: tuple[dict[str, Any], ...] = (
    {"data_contact_points": ["email:ana.kovac@example.si", "tel:+38640123456"]},
    {
        "type": "throughline.contact-point.changed.v1",
        "data_message_id": None,
        "data_text": None,
        "data_previous": "tel:+38640123456",
        "data_current": "email:ana.kovac@example.si",
    },
)


@pytest.mark.parametrize("changes", LINKS)
async def test_who_may_not_tell_about_customers_links_nobody(changes: dict[str, Any]) -> None:
    fakes = Fakes()
    answer = await post(fakes, message_event(**changes), key_policy={"customer_records": False})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "forbidden-link"
    assert fakes.publisher.events == []
    assert (await post(fakes, message_event(**changes))).status_code == 202


async def test_who_may_not_tell_about_customers_still_sends_their_messages() -> None:
    same = ["email:ana.kovac@example.si", "email:Ana.Kovac@Example.si"]
    event = message_event(data_contact_points=same)
    answer = await post(Fakes(), event, key_policy={"customer_records": False})
    assert answer.status_code == 202


@pytest.mark.parametrize("size", [2**63, 2**70, "9" * 30, -1])
async def test_a_size_that_no_store_can_hold_is_refused(size: int | str) -> None:
    fakes = Fakes()
    event = message_event()
    event["data"]["attachments"] = [{"reference": "file-1", "size": size}]
    answer = await post(fakes, event)
    assert answer.status_code == 422
    assert not fakes.publisher.events


async def test_one_wrong_event_refuses_the_batch_and_says_which() -> None:
    fakes = Fakes()
    answer = await post(fakes, [message_event(), message_event(type="com.example.x")], BATCH)
    assert answer.status_code == 422
    assert [item["index"] for item in answer.json()["items"]] == [1]
    assert fakes.publisher.events == []


async def test_a_key_may_only_name_its_channel_accounts() -> None:
    policy = {"channel_accounts": ["demo-portal/main"]}
    assert (await post(Fakes(), message_event(), key_policy=policy)).status_code == 202
    other = message_event(data_provider="whatsapp")
    answer = await post(Fakes(), other, key_policy=policy)
    assert answer.json()["error"]["code"] == "forbidden-channel-account"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer demo.wrong"},
        {"authorization": f"Bearer {API_KEY}x"},
        {"authorization": f"Basic {API_KEY}"},
        {"authorization": f"Bearer other{API_KEY}"},
        {"authorization": "Bearer " + "x" * 5_000},
        {"x-api-key": API_KEY},
        {"authorization": "", "x-api-key": "demo"},
    ],
)
async def test_without_the_one_valid_key_nothing_is_taken(headers: dict[str, str]) -> None:
    fakes = Fakes()
    answer = await post(fakes, message_event(), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert fakes.publisher.events == []


async def test_the_key_may_come_as_x_api_key() -> None:
    headers = {"authorization": "", "x-api-key": API_KEY}
    assert (await post(Fakes(), message_event(), headers=headers)).status_code == 202


async def test_an_expired_key_is_no_key() -> None:
    policy = {"expires_at": "2026-11-03T09:15:00Z"}
    assert (await post(Fakes(), message_event(), key_policy=policy)).status_code == 401
    policy = {"expires_at": "2026-11-03T09:15:01Z"}
    assert (await post(Fakes(), message_event(), key_policy=policy)).status_code == 202


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"", STRUCTURED, 400),
        (b"{", STRUCTURED, 400),
        (b"[]", STRUCTURED, 400),
        (b"5", STRUCTURED, 400),
        (b"[]", BATCH, 400),
        (b"[5]", BATCH, 400),
        (b"{}", BATCH, 400),
        (b"[" + b"{}," * limits.BATCH + b"{}]", BATCH, 400),
        (b"{}", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"[" * 100_000, STRUCTURED, 400),
        (b" " * (limits.BODY + 1), STRUCTURED, 413),
    ],
)
async def test_what_is_no_cloud_event_is_refused(
    content: bytes, media_type: str, status: int
) -> None:
    assert (await post(Fakes(), content, media_type)).status_code == status


async def test_while_kafka_is_away_the_integrator_is_told_to_try_again() -> None:
    fakes = Fakes()
    fakes.publisher.down = True
    answer = await post(fakes, message_event())
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


async def test_too_many_requests_at_once_are_429() -> None:
    gate = Gate(each=1)
    with gate.enter("demo-shop"):
        answer = await post(Fakes(), message_event(), gate=gate)
    assert answer.status_code == 429
    assert "retry-after" in answer.headers


async def test_validating_takes_nothing() -> None:
    fakes = Fakes()
    good = await post(fakes, message_event(), path="/v1/events:validate")
    bad = await post(fakes, message_event(id=""), path="/v1/events:validate")
    assert (good.status_code, good.json()) == (200, {"valid": 1})
    assert bad.status_code == 422
    assert fakes.publisher.events == []


async def test_no_answer_holds_a_value_that_was_sent() -> None:
    canary = "canary-ana@example.si"
    for name in ("id", "type", "time", "data_channel", "data_message_id"):
        changes: dict[str, Any] = {name: [canary]}
        answer = await post(Fakes(), message_event(**changes))
        assert canary not in answer.text
