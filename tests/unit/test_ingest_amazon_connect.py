"""Amazon Connect: contact events through EventBridge, repeated and out of order as they come."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.amazon_connect import AmazonConnect
from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import RawRequest, SignatureRefused
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request, signed

ACCOUNT = ACCOUNTS["amazon-connect"]
BODY = payload("amazon-connect", "voice-initiated")
KEY = "a-key-for-the-api-destination"


def only(name: str) -> Any:
    """Return the one event of a fixture."""
    parsed = parse("amazon-connect", name)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def verify(*keys: str) -> None:
    headers = tuple(("x-api-key", key.encode("latin-1")) for key in keys)
    AmazonConnect().verify(RawRequest(BODY, headers), ACCOUNT, NOW)


def at(minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, 3, 9, minute, second, tzinfo=UTC)


def test_every_live_key_opens() -> None:
    verify(KEY)
    verify("the-key-before-it")
    AmazonConnect().verify(signed("amazon-connect", BODY), ACCOUNT, NOW)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ((), "missing"),
        (("",), "missing"),
        ((KEY, KEY), "doubled"),
        (("\xff",), "malformed"),
        (("a" * 5_000,), "malformed"),
        ((KEY[:-1],), "wrong"),
        ((KEY.upper(),), "wrong"),
        ((f"{KEY} ",), "wrong"),
    ],
)
def test_nothing_else_does(keys: tuple[str, ...], reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(*keys)
    assert refused.value.reason == reason


def test_a_call_starts_and_waits_in_a_queue() -> None:
    started, queued = only("voice-initiated"), only("voice-queued")
    assert started.type == queued.type == "throughline.interaction.started.v1"
    assert (started.data.channel, started.data.kind) == ("voice", "call")
    assert started.data.direction == "inbound"
    assert (started.time, queued.time) == (at(0), at(0, 30))
    assert queued.data.queue == "cccccccc-0000-4000-8000-000000000001"


def test_an_agent_answers() -> None:
    event = only("voice-connected")
    assert event.type == "throughline.interaction.answered.v1"
    assert event.data.agent_id == "dddddddd-0000-4000-8000-000000000001"
    assert event.time == at(1, 10)


def test_names_may_begin_with_capitals_as_in_amazons_own_example() -> None:
    assert only("voice-connected-in-capitals") == only("voice-connected")


@pytest.mark.parametrize(
    ("name", "reason", "waited", "talked"),
    [
        ("voice-disconnected", "completed", 70.0, 300.0),
        ("voice-abandoned", "abandoned", 120.0, None),
        ("voice-failed", "failed", 120.0, None),
        ("voice-ended-in-the-menu", "completed", 120.0, None),
    ],
)
def test_a_call_ends_with_how_long_was_waited_and_talked(
    name: str, reason: str, waited: float, talked: float | None
) -> None:
    data = only(name).data
    assert (data.reason, data.wait_seconds, data.talk_seconds) == (reason, waited, talked)


def test_steps_of_a_call_are_events_of_their_own_in_one_conversation() -> None:
    names = ("voice-initiated", "voice-queued", "voice-connected", "voice-disconnected")
    events = [only(name) for name in names]
    assert len({event.id for event in events}) == 4
    assert len({event.data.conversation_id for event in events}) == 1


def test_the_same_event_sent_again_by_eventbridge_is_the_same() -> None:
    again = json.loads(payload("amazon-connect", "voice-queued"))
    again |= {"id": "another-delivery", "time": "2026-11-03T09:11:00Z"}
    given = request("amazon-connect", json.dumps(again).encode())
    (event,) = AmazonConnect().parse(given, ACCOUNT, NOW, IDS).events
    assert event.id == only("voice-queued").id


def test_two_updates_of_one_kind_are_two_events() -> None:
    body = json.loads(payload("amazon-connect", "unheard-of"))
    body["detail"]["updateTimestamp"] = "2026-11-03T09:04:00.000Z"
    given = request("amazon-connect", json.dumps(body).encode())
    (event,) = AmazonConnect().parse(given, ACCOUNT, NOW, IDS).events
    assert event.id != only("unheard-of").id


def test_a_transfer_is_another_interaction_in_the_same_conversation() -> None:
    first, second = only("voice-initiated").data, only("voice-transferred").data
    assert first.interaction_id != second.interaction_id
    assert first.conversation_id == second.conversation_id
    assert second.raw == {"initiationMethod": "QUEUE_TRANSFER"}


def test_whose_it_is_says_a_number_a_customer_or_the_first_contact() -> None:
    assert only("voice-initiated-with-number").data.contact_points == ("tel:+38640123456",)
    assert only("chat-initiated").data.contact_points == ("amazon-connect:main/customer-17",)
    first = "amazon-connect:main/11111111-0000-4000-8000-000000000001"
    assert only("voice-transferred").data.contact_points == (first,)


def test_chats_and_tasks_are_interactions_too() -> None:
    assert (only("chat-initiated").data.channel, only("chat-initiated").data.kind) == (
        "chat",
        "chat",
    )
    assert only("task-initiated").data.kind == "task"
    assert only("voice-outbound").data.direction == "outbound"


@pytest.mark.parametrize("name", ["voice-completed", "data-updated", "voice-connected-to-system"])
def test_what_changes_nothing_for_the_customer_is_ignored(name: str) -> None:
    parsed = parse("amazon-connect", name)
    assert (parsed.events, parsed.broken) == ((), ())
    assert parsed.ignored


def test_a_kind_we_do_not_know_is_kept_whole() -> None:
    event = only("unheard-of")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert (event.data.kind, event.data.raw["depth"]) == ("HELD_UNDER_WATER", 3)


def test_another_instances_events_are_put_aside() -> None:
    account = replace(ACCOUNT, options={"instance_arn": "arn:aws:connect:another"})
    parsed = AmazonConnect().parse(request("amazon-connect", BODY), account, NOW, IDS)
    assert parsed.broken[0].error == "instanceArn: another instance's"


def test_an_event_without_its_contact_is_put_aside() -> None:
    assert parse("amazon-connect", "no-contact").broken[0].error == "contactId: missing"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", payload("amazon-connect", "another-service")])
def test_what_is_no_contact_event_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        AmazonConnect().parse(request("amazon-connect", body), ACCOUNT, NOW, IDS)
