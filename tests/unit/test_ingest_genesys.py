"""Genesys Cloud: detail events of conversations through EventBridge."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.genesys import Genesys
from services.ingest.adapters.request import RawRequest, SignatureRefused
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request, signed

ACCOUNT = ACCOUNTS["genesys"]
BODY = payload("genesys", "customer-start")
STARTED = datetime.fromtimestamp(1793697000, UTC)
PHONE = "tel:+38640123456"


def only(name: str) -> Any:
    """Return the one event of a fixture."""
    parsed = parse("genesys", name)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def changed(name: str, **body: Any) -> Any:
    """Return the one event of a fixture whose body has these fields."""
    event = json.loads(payload("genesys", name))
    event["detail"]["eventBody"] |= body
    given = request("genesys", json.dumps(event).encode())
    (found,) = Genesys().parse(given, ACCOUNT, NOW, IDS).events
    return found


def test_only_a_live_key_opens() -> None:
    Genesys().verify(signed("genesys", BODY), ACCOUNT, NOW)
    for headers in ((), (("x-api-key", b"guessed"),)):
        with pytest.raises(SignatureRefused):
            Genesys().verify(RawRequest(BODY, headers), ACCOUNT, NOW)


def test_a_call_starts_and_waits_in_a_queue() -> None:
    started, queued = only("customer-start"), only("queued")
    assert started.type == queued.type == "throughline.interaction.started.v1"
    assert (started.data.channel, started.data.kind, started.data.direction) == (
        "voice",
        "call",
        "inbound",
    )
    assert started.data.contact_points == (PHONE,)
    assert (started.data.occurred_at, queued.data.occurred_at) == (
        STARTED,
        STARTED + timedelta(seconds=30),
    )
    assert queued.data.queue == "cccccccc-1000-4000-8000-000000000001"


def test_an_agent_answers_when_the_queue_says_so() -> None:
    event = only("answered")
    assert event.type == "throughline.interaction.answered.v1"
    assert event.data.agent_id == "dddddddd-1000-4000-8000-000000000001"


def test_who_leaves_the_queue_has_abandoned_it() -> None:
    event = only("abandoned")
    assert event.type == "throughline.interaction.ended.v1"
    assert (event.data.reason, event.data.wait_seconds) == ("abandoned", 65.5)


def test_a_conversation_ends_when_the_customer_is_gone() -> None:
    event = only("customer-end")
    assert (event.data.reason, event.data.talk_seconds) == ("completed", 300.0)
    assert only("customer-end-by-error").data.reason == "failed"


def test_a_known_contact_is_named_beside_the_number() -> None:
    contact = "genesys-contact:main/77777777-0000-4000-8000-000000000001"
    assert only("customer-end").data.contact_points == (PHONE, contact)


@pytest.mark.parametrize(
    ("name", "channel", "point"),
    [
        ("outbound", "voice", PHONE),
        ("sms-message", "sms", PHONE),
        ("web-message", "chat", "chat:genesys-main/66666666-0000-4000-8000-000000000001"),
        ("e-mail", "email", "email:genesys-main/ana.kovac@example.com"),
        ("sip-caller", "voice", "sip:genesys-main/ana@pbx.example.com"),
        ("nobody-named", "voice", "genesys:main/eeeeeeee-0000-4000-8000-000000000009"),
    ],
)
def test_whose_it_is_and_on_which_channel(name: str, channel: str, point: str) -> None:
    data = only(name).data
    assert (data.channel, data.contact_points) == (channel, (point,))


def test_an_outbound_call_is_with_the_one_who_is_called() -> None:
    assert only("outbound").data.direction == "outbound"


@pytest.mark.parametrize(
    "name", ["agent-alerted", "agent-done", "after-call-work", "left-for-a-flow"]
)
def test_what_changes_nothing_for_the_customer_is_ignored(name: str) -> None:
    parsed = parse("genesys", name)
    assert (parsed.events, parsed.broken) == ((), ())
    assert parsed.ignored


def test_steps_are_events_of_their_own_and_the_same_when_they_come_again() -> None:
    names = ("customer-start", "queued", "answered", "customer-end")
    assert len({only(name).id for name in names}) == 4
    assert len({only(name).data.conversation_id for name in names}) == 1
    assert changed("queued", eventTime=1793697099000).id != only("queued").id
    assert changed("queued", queueId="other").id == only("queued").id


def test_a_time_may_be_written_either_way_and_odd_lengths_count_as_none() -> None:
    assert changed("queued", eventTime="2026-11-03T09:00:00.000Z").time == datetime(
        2026, 11, 3, 9, 0, tzinfo=UTC
    )
    for odd in (-1, True, "65", 1e308):
        assert changed("abandoned", connectedDurationMs=odd).data.wait_seconds is None


def test_a_kind_we_do_not_know_is_kept_whole() -> None:
    event = only("unheard-of")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert (event.data.kind, event.data.raw["height"]) == ("levitation.start", 3)


def test_an_event_without_its_conversation_is_put_aside() -> None:
    assert parse("genesys", "no-conversation").broken[0].error == "conversationId: missing"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"detail-type": "v2.users.1.presence", "detail": {"eventBody": {}}}'],
)
def test_what_is_no_conversations_event_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        Genesys().parse(request("genesys", body), ACCOUNT, NOW, IDS)
