"""Twilio's calls: who calls whom, when it was answered, who holds, how it ended."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from twilio.request_validator import RequestValidator

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.adapters.twilio_voice import TwilioVoice
from tests.support.builders_ingest import (
    ACCOUNTS,
    IDS,
    NOW,
    parse,
    payload,
    request,
    sign_twilio,
    signed,
)

ACCOUNT = ACCOUNTS["twilio-voice"]
URL = ACCOUNT.options["public_url"]
PHONE = "tel:+38640123456"
CONTINUE = replace(
    ACCOUNT, options={**ACCOUNT.options, "continue_url": "https://ivr.example.com/a"}
)


def only(name: str, query: str = "") -> Any:
    """Return the one event of a fixture, called back at an address with this query."""
    given = replace(request("twilio-voice", payload("twilio-voice", name)), query=query)
    parsed = TwilioVoice().parse(given, ACCOUNT, NOW, IDS)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def at(minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, 3, 9, minute, second, tzinfo=UTC)


@pytest.mark.parametrize("name", ["call-ringing", "leg-answered", "held", "recording", "digits"])
def test_twilios_own_library_accepts_what_we_sign_and_we_what_it_signs(name: str) -> None:
    given = request("twilio-voice", payload("twilio-voice", name))
    (value,) = TwilioVoice().scheme.sign(given, ACCOUNT, NOW).all("x-twilio-signature")
    fields = dict(parse_qsl(given.body.decode(), keep_blank_values=True))
    theirs = RequestValidator("auth-token")
    assert theirs.validate(URL, fields, value.decode())
    signature = theirs.compute_signature(URL, fields).encode()
    headers = (*given.headers, ("x-twilio-signature", signature))
    TwilioVoice().verify(replace(given, headers=headers), ACCOUNT, NOW)


def test_who_the_call_is_with_may_stand_in_the_address_because_it_is_signed() -> None:
    body = payload("twilio-voice", "held")
    good = signed("twilio-voice", body, query="customer=%2B38640123456")
    TwilioVoice().verify(good, ACCOUNT, NOW)
    with pytest.raises(SignatureRefused):
        TwilioVoice().verify(replace(good, query="customer=%2B38640123999"), ACCOUNT, NOW)


def test_a_signature_of_another_door_is_refused() -> None:
    body = payload("twilio-voice", "call-ringing")
    other = sign_twilio(body, url="https://hooks.example.com/hooks/twilio/main").encode()
    given = request("twilio-voice", body, x_twilio_signature=other)
    with pytest.raises(SignatureRefused):
        TwilioVoice().verify(given, ACCOUNT, NOW)


def test_a_call_that_rings_has_started() -> None:
    event = only("call-ringing")
    assert event.type == "throughline.interaction.started.v1"
    assert (event.data.channel, event.data.kind, event.data.direction) == (
        "voice",
        "call",
        "inbound",
    )
    assert event.data.contact_points == (PHONE,)
    assert event.data.reply_to == "+38640123456"
    assert event.data.display_name == "Ana Kovač"
    assert event.data.interaction_id == "CA01"
    assert event.data.raw == {"CallerCountry": "SI"}


def test_a_call_is_answered_when_the_leg_to_an_agent_is() -> None:
    event = only("leg-answered")
    assert event.type == "throughline.interaction.answered.v1"
    assert (event.data.interaction_id, event.data.agent_id) == ("CA01", "marko")
    assert event.time == at(3, 20)
    assert event.data.conversation_id == only("call-ringing").data.conversation_id


@pytest.mark.parametrize(
    "name", ["leg-ringing", "leg-completed", "outbound-initiated", "conference-start", "agent-held"]
)
def test_what_tells_nothing_of_the_customer_is_ignored(name: str) -> None:
    parsed = parse("twilio-voice", name)
    assert (parsed.events, parsed.broken) == ((), ())
    assert parsed.ignored


def test_a_call_to_a_customer_is_with_the_one_who_is_called() -> None:
    ringing, answered = only("outbound-ringing"), only("outbound-answered")
    assert ringing.data.direction == answered.data.direction == "outbound"
    assert ringing.data.contact_points == (PHONE,)
    assert answered.type == "throughline.interaction.answered.v1"


def test_a_leg_to_a_customer_is_the_customers_call() -> None:
    fields = dict(parse_qsl(payload("twilio-voice", "leg-ringing").decode()))
    body = urlencode({**fields, "From": "+38615550101", "To": "+38640123456"}).encode()
    given = replace(request("twilio-voice", body), query="customer=%2B38640123456")
    (event,) = TwilioVoice().parse(given, ACCOUNT, NOW, IDS).events
    assert event.data.interaction_id == "CA03"
    assert (event.data.direction, event.data.contact_points) == ("outbound", (PHONE,))


@pytest.mark.parametrize(
    ("name", "reason", "talk"),
    [
        ("call-completed", "completed", 245.0),
        ("call-canceled", "abandoned", 0.0),
        ("outbound-no-answer", "no-answer", None),
        ("outbound-busy", "busy", None),
        ("outbound-failed", "failed", None),
    ],
)
def test_a_call_ends_with_its_reason(name: str, reason: str, talk: float | None) -> None:
    event = only(name)
    assert event.type == "throughline.interaction.ended.v1"
    assert (event.data.reason, event.data.talk_seconds) == (reason, talk)


def test_who_hangs_up_in_a_queue_has_waited_for_nothing() -> None:
    event = only("abandoned-in-queue")
    assert (event.data.reason, event.data.wait_seconds) == ("abandoned", 73.0)


def test_each_status_is_an_event_of_its_own_and_a_repeated_one_is_the_same() -> None:
    names = ("call-ringing", "call-completed", "leg-answered", "held", "resumed", "recording")
    assert len({only(name).id for name in names}) == len(names)
    assert only("held").id == only("held").id


def test_the_customers_hold_begins_and_ends() -> None:
    held, resumed = only("held"), only("resumed")
    assert held.type == "throughline.interaction.held.v1"
    assert resumed.type == "throughline.interaction.resumed.v1"
    assert (held.time, resumed.time) == (at(4), at(5))
    assert held.data.interaction_id == "CA01"


def test_a_callback_that_names_nobody_is_about_the_call_unless_its_address_does() -> None:
    assert only("held").data.contact_points == ("call:twilio-main/CA01",)
    assert only("held", "customer=%2B38640123456").data.contact_points == (PHONE,)
    assert only("held").data.conversation_id == only("call-ringing").data.conversation_id


def test_a_recording_is_kept_by_reference() -> None:
    event = only("recording")
    assert event.data.recording.reference.endswith("/Recordings/RE01")
    assert event.data.duration_seconds == 238.0
    assert event.data.interaction_id == "CA01"
    assert parse("twilio-voice", "recording-absent").ignored


def test_a_choice_is_known_with_its_menu() -> None:
    event = only("digits", "menu=main")
    assert (event.data.menu, event.data.choice) == ("main", "2")
    assert only("digits").data.menu == "menu"
    assert only("digits", "menu=main").id != only("digits", "menu=bills").id
    assert only("speech").data.choice == "račun 👩‍👩‍👧 שלום"


@pytest.mark.parametrize("number", ["+266696687", "anonymous", "Restricted", ""])
def test_a_caller_who_withholds_the_number_is_known_by_the_call(number: str) -> None:
    fields = dict(parse_qsl(payload("twilio-voice", "withheld-number").decode()))
    body = urlencode({**fields, "From": number}).encode()
    parsed = TwilioVoice().parse(request("twilio-voice", body), ACCOUNT, NOW, IDS)
    assert parsed.events[0].data.contact_points == ("call:twilio-main/CA09",)
    assert parsed.events[0].data.reply_to is None


def test_a_sip_address_stays_within_the_channel_account() -> None:
    assert only("sip-caller").data.contact_points == ("sip:twilio-main/ana@pbx.example.com",)


def test_a_status_we_do_not_know_is_kept_whole() -> None:
    event = only("unknown-status")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert (event.data.kind, event.data.raw["CallSid"]) == ("levitating", "CA01")


def test_a_waiting_caller_goes_on_with_the_choice_in_the_query() -> None:
    body = payload("twilio-voice", "digits")
    answer = TwilioVoice().reply(request("twilio-voice", body), CONTINUE)
    redirect = b"<Response><Redirect>https://ivr.example.com/a?Digits=2</Redirect></Response>"
    assert answer == ("text/xml", redirect)


def test_what_a_caller_says_cannot_add_instructions() -> None:
    body = urlencode(
        {"CallSid": "CA1", "CallStatus": "in-progress", "SpeechResult": "</Redirect>&"}
    )
    _, answer = TwilioVoice().reply(request("twilio-voice", body.encode()), CONTINUE)
    assert answer.count(b"</Redirect>") == 1
    assert b"%3C%2FRedirect%3E%26" in answer


@pytest.mark.parametrize("name", ["call-completed", "held", "recording"])
def test_a_callback_that_waits_for_nothing_gets_nothing_to_do(name: str) -> None:
    given = request("twilio-voice", payload("twilio-voice", name))
    assert TwilioVoice().reply(given, CONTINUE) == ("text/xml", b"<Response/>")
    assert TwilioVoice().reply(given, ACCOUNT) == ("text/xml", b"<Response/>")


def test_a_body_that_is_no_form_is_answered_all_the_same() -> None:
    broken = RawRequest(b"{", (("content-type", b"application/json"),))
    assert TwilioVoice().reply(broken, CONTINUE) == ("text/xml", b"<Response/>")


@pytest.mark.parametrize("body", [b"", b"\xff\xff", payload("twilio-voice", "not-a-call")])
def test_what_names_no_call_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        TwilioVoice().parse(request("twilio-voice", body), ACCOUNT, NOW, IDS)
