"""The portal: what customers did alone, what they wrote, and when they asked for an agent."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.contract import Parsed, Unparseable
from services.ingest.adapters.portal import Portal
from services.ingest.adapters.request import RawRequest, SignatureRefused
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, signed

ACCOUNT = ACCOUNTS["portal"]
LOGIN = "portal:main/c-17"


def parse_body(body: Any) -> Parsed:
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Portal().parse(RawRequest(written), ACCOUNT, NOW, IDS)


def only(name: str) -> Any:
    parsed = parse("portal", name)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def test_an_event_is_proved_by_the_portals_backend() -> None:
    good = signed("portal", payload("portal", "message"))
    Portal().verify(good, ACCOUNT, NOW)
    with pytest.raises(SignatureRefused):
        Portal().verify(RawRequest(good.body + b" ", good.headers), ACCOUNT, NOW)


def test_a_logged_in_customers_message_names_every_address_the_portal_knows() -> None:
    event = only("message")
    assert event.type == "throughline.message.received.v1"
    assert event.data.contact_points == (LOGIN, "email:ana.kovac@example.si", "tel:+38640123456")
    assert (event.data.subject, event.data.text) == ("My parcel", "Where is my parcel?")
    assert (event.data.display_name, event.data.locale) == ("Ana Kovač", "sl")
    assert event.data.reply_to == "enquiry-9"
    assert event.time == datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


def test_a_thread_is_one_conversation_and_files_come_by_reference() -> None:
    event = only("message-with-file")
    assert event.data.conversation_id == only("message").data.conversation_id
    assert event.data.in_reply_to == "p-1"
    assert event.data.attachments[0].reference == "https://files.example.com/r.pdf"
    assert event.data.attachments[0].size == 1234


def test_a_run_of_self_service_is_one_conversation_from_choice_to_hand_over() -> None:
    choice, finished, handed = only("choice"), only("finished"), only("handed-over")
    assert choice.type == "throughline.choice.made.v1"
    assert (choice.data.menu, choice.data.choice) == ("What is it about?", "Delivery")
    assert finished.type == "throughline.self-service.finished.v1"
    assert (finished.data.topic, finished.data.resolved) == ("delivery", True)
    assert handed.type == "throughline.self-service.handed-over.v1"
    assert handed.data.fields[0].name == "order"
    assert {event.data.interaction_id for event in (choice, finished, handed)} == {"run-42"}
    assert len({event.data.conversation_id for event in (choice, finished, handed)}) == 1


def test_a_visitor_nobody_knows_is_known_by_the_run_alone() -> None:
    assert only("visitor").data.contact_points == ("portal:main/run/run-43",)


def test_a_customer_without_any_address_is_a_normal_customer() -> None:
    assert only("no-addresses").data.contact_points == ("portal:main/c-18",)


def test_an_address_nobody_could_use_is_left_out() -> None:
    customer = {"id": "c-1", "email": "nonsense", "phone": "040 123 456"}
    body = {"id": "1", "type": "message", "customer": customer, "text": "a"}
    (event,) = parse_body(body).events
    assert event.data.contact_points == ("portal:main/c-1",)


def test_what_nobody_said_about_the_outcome_stays_open() -> None:
    body = {"id": "1", "type": "finished", "run": "r", "resolved": "maybe"}
    (event,) = parse_body(body).events
    assert event.data.resolved is None


def test_an_unknown_type_is_kept_whole() -> None:
    event = only("unknown-type")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert (event.data.kind, event.data.raw["wish"]) == ("wish", "gift wrapping")


def test_a_broken_one_in_a_batch_leaves_the_others_and_is_a_payload_of_its_own() -> None:
    parsed = parse("portal", "batch-with-one-broken")
    assert len(parsed.events) == 2
    (part,) = parsed.broken
    assert part.error == "id, type: missing"
    again = parse_body(part.body)
    assert (again.events, again.broken[0].error) == ((), part.error)


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ({"type": "message"}, "id, type: missing"),
        ({"id": "1"}, "id, type: missing"),
        ({"id": "1", "type": "message", "text": "a"}, "customer.id, run: missing"),
        ({"id": "1", "type": "choice", "customer": {"id": "c"}, "choice": "1"}, "run: missing"),
        ({"id": "1", "type": "choice", "run": "r"}, "data.choice: string_type"),
        ("text", "id, type: missing"),
    ],
)
def test_an_event_that_says_too_little_is_put_aside(part: Any, error: str) -> None:
    parsed = parse_body({"events": [part]})
    assert (parsed.events, parsed.broken[0].error) == ((), error)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", {"events": []}, {"events": [{}] * 501}], ids=str
)
def test_a_body_that_makes_no_sense_is_unparseable(body: Any) -> None:
    with pytest.raises(Unparseable):
        parse_body(body)
