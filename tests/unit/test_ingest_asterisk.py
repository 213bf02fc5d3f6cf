"""Asterisk: what a packet of its manager interface becomes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.adapters.asterisk import Asterisk
from services.ingest.adapters.contract import Unparseable
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request

ACCOUNT = ACCOUNTS["asterisk"]
CALL = "1793697000.17"
PHONE = "tel:+38640123456"
JOINED = datetime.fromtimestamp(1793697000.123, UTC)


def only(name: str, **options: str) -> Any:
    """Return the one event of a fixture, with these options of the channel account."""
    account = replace(ACCOUNT, options={**ACCOUNT.options, **options})
    given = request("asterisk", payload("asterisk", name))
    parsed = Asterisk().parse(given, account, NOW, IDS)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def test_a_caller_who_joins_a_queue_has_started_to_wait() -> None:
    event = only("joined")
    assert event.type == "throughline.interaction.started.v1"
    assert (event.data.channel, event.data.queue, event.data.interaction_id) == (
        "voice",
        "support",
        CALL,
    )
    assert event.data.contact_points == (PHONE,)
    assert (event.data.display_name, event.data.locale) == ("Ana Kovač", "sl")
    assert event.data.reply_to == "+38640123456"


def test_asterisks_own_time_counts_where_it_tells_it() -> None:
    assert only("joined").data.occurred_at == JOINED
    assert only("joined-without-time").data.occurred_at is None


@pytest.mark.parametrize(
    "written", [".24", "1793697000.", "-1", "1e9", "17936970000000000", "²", "٣.٣", "9" * 5_000]
)
def test_a_time_that_is_none_is_left_out(written: str) -> None:
    packet = payload("asterisk", "joined").replace(b"1793697000.123456", written.encode())
    (event,) = Asterisk().parse(request("asterisk", packet), ACCOUNT, NOW, IDS).events
    assert event.data.occurred_at is None


def test_the_snapshot_gives_the_event_that_joining_gave() -> None:
    snapshot = only("entry")
    assert snapshot.id == only("joined").id
    assert snapshot.data.conversation_id == only("joined").data.conversation_id
    assert snapshot.time == NOW - timedelta(seconds=90)


def test_who_hangs_up_in_the_queue_has_abandoned_it() -> None:
    event = only("abandoned")
    assert event.type == "throughline.interaction.ended.v1"
    assert (event.data.reason, event.data.wait_seconds) == ("abandoned", 74.0)


def test_an_agent_answers_by_name() -> None:
    event = only("connected")
    assert event.type == "throughline.interaction.answered.v1"
    assert (event.data.agent_id, event.data.interaction_id) == ("marko", CALL)


@pytest.mark.parametrize(
    ("name", "reason", "talk"),
    [("completed", "completed", 300.0), ("transferred", "transferred", 100.0)],
)
def test_a_call_ends_with_how_long_was_waited_and_talked(
    name: str, reason: str, talk: float
) -> None:
    data = only(name).data
    assert (data.reason, data.wait_seconds, data.talk_seconds) == (reason, 42.0, talk)


def test_the_customer_is_held_by_the_agents_telephone() -> None:
    held, resumed = only("held"), only("resumed")
    assert held.type == "throughline.interaction.held.v1"
    assert resumed.type == "throughline.interaction.resumed.v1"
    assert held.data.interaction_id == resumed.data.interaction_id == CALL
    assert held.data.contact_points == (PHONE,)


def test_a_recording_is_known_by_the_channel_it_was_made_on() -> None:
    event = only("recording-stopped")
    assert event.data.recording.reference == f"asterisk:{CALL}"
    assert event.data.interaction_id == CALL


def test_a_dialplan_tells_a_choice() -> None:
    event = only("choice")
    assert (event.data.menu, event.data.choice) == ("main", "2 bills")


@pytest.mark.parametrize(
    "name",
    ["left", "held-by-customer", "recording-started", "other-user-event", "key-pressed"],
)
def test_what_tells_nothing_of_a_customers_wait_is_ignored(name: str) -> None:
    parsed = parse("asterisk", name)
    assert (parsed.events, parsed.broken) == ((), ())
    assert parsed.ignored


def test_key_presses_are_never_kept_because_they_may_be_a_pin() -> None:
    assert parse("asterisk", "key-pressed").ignored == ("DTMFEnd",)


def test_steps_of_a_call_are_events_of_their_own_in_one_conversation() -> None:
    names = ("joined", "connected", "held", "resumed", "completed", "recording-stopped", "choice")
    events = [only(name) for name in names]
    assert len({event.id for event in events}) == len(names)
    assert len({event.data.conversation_id for event in events}) == 1


def test_a_national_number_is_a_number_only_where_its_country_is_known() -> None:
    assert only("joined-national").data.contact_points == ("call:asterisk-main/040123456",)
    assert only("joined-national", region="SI").data.contact_points == (PHONE,)


def test_an_extension_stays_within_the_channel_account() -> None:
    assert only("joined-extension", region="SI").data.contact_points == ("call:asterisk-main/117",)


def test_a_caller_who_withholds_the_number_is_known_by_the_call() -> None:
    data = only("joined-withheld").data
    assert data.contact_points == ("call:asterisk-main/1793697000.23",)
    assert (data.display_name, data.reply_to) == (None, None)


def test_an_event_of_callers_that_we_do_not_know_is_kept_whole() -> None:
    event = only("unheard-of")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert (event.data.kind, event.data.raw["Depth"]) == ("QueueCallerTeleported", "3")


def test_a_packet_without_its_call_is_put_aside() -> None:
    assert parse("asterisk", "no-call").broken[0].error == "Uniqueid: missing"


@pytest.mark.parametrize("body", [b"", b"\xff\x00", payload("asterisk", "response")])
def test_what_is_no_event_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        Asterisk().parse(request("asterisk", body), ACCOUNT, NOW, IDS)
