"""What every adapter must do: the conformance kit over every adapter, and what only we can know."""

import json
from datetime import UTC, datetime

import pytest

from services.ingest.adapters.contract import Adapter, Parsed, Unparseable
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import RawRequest
from services.ingest.adapters.schemes.base import Trusted
from services.ingest.conformance.attacks import cases
from services.ingest.conformance.report import Check
from services.ingest.conformance.subject import Subject
from services.ingest.conformance.suite import checks, verdict
from services.ingest.domain import limits
from services.ingest.parse import UnknownProvider, parse_payload
from shared.events import decode, encode
from shared.events.contact import CONTACT_EVENTS
from shared.events.topics import HOME
from tests.support.builders_ingest import (
    ACCOUNTS,
    FOLDERS,
    IDS,
    NOW,
    parse,
    payload,
    payload_names,
    plain,
    request,
)

CHECKS = checks(300)
SUBJECTS = {provider: Subject(adapter, FOLDERS[provider]) for provider, adapter in ADAPTERS.items()}
FIXTURES = [(provider, name) for provider in ADAPTERS for name in payload_names(provider)]


def _parse_or_dead(provider: str, name: str) -> Parsed | None:
    try:
        return parse(provider, name)
    except Unparseable:
        return None


def test_an_adapter_without_a_scheme_cannot_even_be_defined() -> None:
    with pytest.raises(TypeError, match="no scheme"):

        class NoScheme(Adapter):
            provider = "careless"


def test_a_hook_that_verifies_nothing_cannot_be_defined() -> None:
    with pytest.raises(TypeError, match="verifies nothing"):

        class Open(Adapter):
            provider = "careless"
            scheme = Trusted()


@pytest.mark.parametrize("provider", ADAPTERS)
def test_every_adapter_has_an_account_here_and_at_least_eight_fixtures(provider: str) -> None:
    assert ACCOUNTS[provider].provider == ADAPTERS[provider].provider == provider
    assert len(payload_names(provider)) >= 8


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("provider", ADAPTERS)
def test_every_adapter_conforms(provider: str, check: Check) -> None:
    found = verdict(check, SUBJECTS[provider])
    assert found.status != "fail", found.remark


@pytest.mark.parametrize("provider", [p for p in ADAPTERS if SUBJECTS[p].proves])
def test_every_signature_is_tried_in_many_ways(provider: str) -> None:
    subject = SUBJECTS[provider]
    tried = [case.name for case in cases(subject, subject.plain())]
    assert len(set(tried)) == len(tried) >= 15


@pytest.mark.parametrize("provider", [p for p in ADAPTERS if ADAPTERS[p].scheme.timed])
def test_what_was_signed_too_long_ago_or_ahead_is_tried_where_a_time_is_signed(
    provider: str,
) -> None:
    subject = SUBJECTS[provider]
    tried = {case.name: case.authentic for case in cases(subject, subject.plain())}
    assert (tried["almost too old"], tried["stale"], tried["from the future"]) == (
        True,
        False,
        False,
    )


def test_a_time_is_signed_by_these() -> None:
    timed = {provider for provider, adapter in ADAPTERS.items() if adapter.scheme.timed}
    assert timed >= {"mailgun", "ses", "vonage", "standard-webhooks", "sendgrid", "slack"}


@pytest.mark.parametrize(
    ("provider", "name"), [("mailgun", "delivered"), ("mailgun", "raw"), ("ses", "subscription")]
)
def test_a_proof_in_the_body_is_attacked_wherever_it_stands(provider: str, name: str) -> None:
    subject = SUBJECTS[provider]
    tried = list(cases(subject, subject.request(name)))
    assert len(tried) >= 30
    wrong = [one.name for one in tried if subject.accepts(one.request) != one.authentic]
    assert wrong == []


@pytest.mark.parametrize(("provider", "name"), FIXTURES)
def test_every_payload_gives_an_event_a_dead_letter_or_says_what_it_ignored(
    provider: str, name: str
) -> None:
    events = parse_payload(provider, ACCOUNTS[provider], payload(provider, name), NOW, IDS)
    parsed = _parse_or_dead(provider, name)
    assert events or (parsed is not None and parsed.ignored)


def test_a_broken_part_is_a_payload_of_its_own() -> None:
    parsed = parse("whatsapp", "batch-with-one-broken")
    assert len(parsed.events) == 2
    (part,) = parsed.broken
    alone = RawRequest(part.body, (("content-type", b"application/json"),))
    again = ADAPTERS["whatsapp"].parse(alone, ACCOUNTS["whatsapp"], NOW, IDS)
    assert not again.events
    assert [b.error for b in again.broken] == [part.error] == ["id: missing"]
    assert b"no id, no sender" in part.body
    assert json.loads(part.body)["entry"][0]["changes"][0]["value"]["metadata"]


def test_times_from_the_future_count_when_they_arrive() -> None:
    early = datetime(2020, 1, 1, tzinfo=UTC)
    body = request("whatsapp", payload("whatsapp", "text"))
    (event,) = ADAPTERS["whatsapp"].parse(body, ACCOUNTS["whatsapp"], early, IDS).events
    assert event.time == early
    assert event.data.occurred_at > early


@pytest.mark.parametrize(
    ("parts", "error"),
    [(1_500, "1500 parts, first id: missing"), (3_000, "body: too many parts")],
)
def test_a_batch_all_broken_is_put_aside_once_and_whole(parts: int, error: str) -> None:
    notification = json.loads(payload("whatsapp", "text"))
    value = notification["entry"][0]["changes"][0]["value"]
    value["messages"] = [{"type": "text"}] * parts
    value["contacts"] *= 300
    body = json.dumps(notification).encode()
    (letter,) = parse_payload("whatsapp", ACCOUNTS["whatsapp"], body, NOW, IDS)
    assert letter.data.body == body
    assert letter.data.error == error


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        (limits.BROKEN_PARTS + 1, "101 parts, first sg_event_id, event: missing"),
        (limits.PARTS_SENDGRID + 1, "body: too many parts"),
    ],
)
def test_very_many_small_broken_parts_are_put_aside_once_and_whole(parts: int, error: str) -> None:
    body = json.dumps([{}] * parts).encode()
    (letter,) = parse_payload("sendgrid", ACCOUNTS["sendgrid"], body, NOW, IDS)
    assert (letter.data.body, letter.data.error) == (body, error)


def test_numbers_no_store_could_keep_come_back_as_text() -> None:
    body = payload("whatsapp", "location").replace(b"46.05", b"1e999").replace(b"14.5", b"9" * 30)
    (event,) = parse_payload("whatsapp", ACCOUNTS["whatsapp"], body, NOW, IDS)
    assert event.data.raw["location"] == {"latitude": "1e999", "longitude": "9" * 30}
    assert decode(HOME[event.type].name, encode(event)) == event


@pytest.mark.parametrize("provider", ADAPTERS)
def test_a_payload_can_be_translated_without_its_headers(provider: str) -> None:
    name = plain(provider)
    (event,) = parse_payload(provider, ACCOUNTS[provider], payload(provider, name), NOW, IDS)
    assert event.type in {kind.wire_type for kind in CONTACT_EVENTS}


def test_translating_for_an_unknown_provider_names_the_known_ones() -> None:
    with pytest.raises(UnknownProvider, match=r"twilio.*whatsapp"):
        parse_payload("pigeon", ACCOUNTS["email"], b"", NOW, IDS)
