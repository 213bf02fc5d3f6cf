"""Listers: the exact request for a page, and pages read into what the hook would have got."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.listers.contract import FIRST, BadPage, Question
from services.ingest.listers.registry import LISTERS
from services.ingest.listers.twilio import TwilioLister
from services.ingest.listers.vonage import VonageLister
from services.ingest.parse import read
from services.ingest.senders.contract import Answer
from tests.support.builders_ingest import IDS, NOW, parse
from tests.support.builders_listers import LISTING, SINCE, answered, listed_events
from tests.support.builders_replies import sending_account

SID = "AC00000000000000000000000000000001"
TWILIO = sending_account("twilio", secrets={}, account_sid=SID, **{"from": "+38615550101"})
VONAGE = sending_account("vonage", secrets={"api_secret": "s"}, **{"from": "+38615550101"})


def twilio_message(**changes: Any) -> dict[str, Any]:
    """Return a message as Twilio's list has it: the fixture `sms`, unless changed."""
    return {
        "sid": "SM01",
        "account_sid": SID,
        "api_version": "2010-04-01",
        "direction": "inbound",
        "status": "received",
        "from": "+38640123456",
        "to": "+38615550101",
        "body": "Is the shop open on Sunday?",
        "num_media": "0",
        "num_segments": "1",
        "error_code": None,
        "error_message": None,
        "messaging_service_sid": None,
        "date_created": "Tue, 03 Nov 2026 08:30:00 +0000",
        "date_sent": "Tue, 03 Nov 2026 08:30:00 +0000",
        "date_updated": "Tue, 03 Nov 2026 08:30:05 +0000",
        "subresource_uris": {"media": f"/2010-04-01/Accounts/{SID}/Messages/SM01/Media.json"},
        **changes,
    }


def twilio_page(*messages: Any, following: str | None = None) -> Answer:
    body = {"messages": list(messages), "next_page_uri": following, "page_size": 100}
    return Answer(200, json.dumps(body).encode())


def vonage_record(**changes: Any) -> dict[str, Any]:
    """Return a record as Vonage's report has it: the fixture `sms`, unless changed."""
    return {
        "account_id": "abcd1234",
        "message_id": "aaaaaaaa-bbbb-4ccc-8ddd-000000000001",
        "direction": "inbound",
        "from": "38640123456",
        "to": "38615550101",
        "message_body": "Is the shop open on Sunday?",
        "date_received": "2026-11-03T09:10:00Z",
        "provider": "sms",
        **changes,
    }


def vonage_page(*records: Any, **more: Any) -> Answer:
    return Answer(200, json.dumps({"records": list(records), **more}).encode())


def test_every_lister_has_an_adapter_of_its_name() -> None:
    assert set(LISTERS) <= set(ADAPTERS)
    assert all(lister.provider == name for name, lister in LISTERS.items())


def test_twilio_is_asked_for_the_messages_from_that_day_on() -> None:
    call = TwilioLister().compose(TWILIO, SINCE, FIRST)
    url = urlsplit(call.url)
    assert (call.method, url.hostname) == ("GET", "api.twilio.com")
    assert url.path == f"/2010-04-01/Accounts/{SID}/Messages.json"
    assert dict(parse_qsl(url.query)) == {"DateSent>": "2026-11-03", "PageSize": "100"}
    credentials = base64.b64encode(f"{SID}:auth-token".encode()).decode()
    assert call.headers["authorization"] == f"Basic {credentials}"


def test_twilios_next_page_is_the_one_it_names_on_its_own_host() -> None:
    path = f"/2010-04-01/Accounts/{SID}/Messages.json?PageSize=100&Page=1&PageToken=PASM01"
    page = TwilioLister().read(twilio_page(following=path), TWILIO, SINCE, FIRST)
    assert page.following == Question("page", (path,))
    assert (
        TwilioLister().compose(TWILIO, SINCE, page.following).url == f"https://api.twilio.com{path}"
    )
    assert TwilioLister().read(twilio_page(), TWILIO, SINCE, FIRST).following is None


@pytest.mark.parametrize("path", [".evil.example.com/x", "@evil.example.com/", "/2010-04-01/x?"])
def test_a_next_page_that_leads_elsewhere_is_not_followed(path: str) -> None:
    with pytest.raises(BadPage, match="leads elsewhere"):
        TwilioLister().read(twilio_page(following=path), TWILIO, SINCE, FIRST)


def test_a_listed_message_is_the_one_the_webhook_told() -> None:
    page = TwilioLister().read(twilio_page(twilio_message()), TWILIO, SINCE, FIRST)
    (event,) = listed_events("twilio", page, TWILIO)
    (told,) = parse("twilio", "sms").events
    assert event.id == told.id
    assert event.data.conversation_id == told.data.conversation_id
    assert (event.data.text, event.data.reply_to) == (told.data.text, told.data.reply_to)
    assert event.time == datetime(2026, 11, 3, 8, 30, tzinfo=UTC)


def test_a_listed_status_is_the_one_the_callback_told() -> None:
    sent = twilio_message(
        sid="SM90", direction="outbound-api", status="delivered", to="+38640123456"
    )
    page = TwilioLister().read(twilio_page(sent), TWILIO, SINCE, FIRST)
    (event,) = listed_events("twilio", page, TWILIO)
    (told,) = parse("twilio", "status-delivered").events
    assert (event.id, event.data.status) == (told.id, "delivered")


def test_what_was_sent_before_is_left_out_though_it_was_that_day() -> None:
    early = twilio_message(date_sent="Tue, 03 Nov 2026 07:59:59 +0000")
    exact = twilio_message(date_sent="Tue, 03 Nov 2026 08:00:00 +0000")
    assert len(TwilioLister().read(twilio_page(early, exact), TWILIO, SINCE, FIRST).requests) == 1


def test_a_listed_picture_refers_to_the_list_of_its_media() -> None:
    page = TwilioLister().read(twilio_page(twilio_message(num_media="1")), TWILIO, SINCE, FIRST)
    (event,) = listed_events("twilio", page, TWILIO)
    assert event.data.attachments[0].reference.endswith("/Messages/SM01/Media.json")


def test_vonage_is_asked_for_customers_messages_with_their_text() -> None:
    call = VonageLister().compose(VONAGE, SINCE, FIRST)
    url = urlsplit(call.url)
    assert (url.hostname, url.path) == ("api.nexmo.com", "/v2/reports/records")
    assert dict(parse_qsl(url.query)) == {
        "account_id": "abcd1234",
        "product": "MESSAGES",
        "direction": "inbound",
        "include_message": "true",
        "date_start": "2026-11-03T08:00:00Z",
    }
    assert call.headers["authorization"] == "Basic " + base64.b64encode(b"abcd1234:s").decode()


def test_vonages_next_page_is_its_query_on_our_host() -> None:
    link = "https://evil.example.com/x?product=MESSAGES&cursor=abc&iv=def"
    page = VonageLister().read(vonage_page(_links={"next": {"href": link}}), VONAGE, SINCE, FIRST)
    following = VonageLister().compose(VONAGE, SINCE, page.following)
    query = "product=MESSAGES&cursor=abc&iv=def"
    assert following.url == f"https://api.nexmo.com/v2/reports/records?{query}"
    assert VonageLister().read(vonage_page(), VONAGE, SINCE, FIRST).following is None


def test_a_reported_message_is_the_one_the_webhook_told() -> None:
    page = VonageLister().read(vonage_page(vonage_record()), VONAGE, SINCE, FIRST)
    (event,) = listed_events("vonage", page, VONAGE)
    (told,) = parse("vonage", "sms").events
    assert event == told


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"messages": 1, "records": {}}', b"[" * 9_999]
)
def test_what_is_no_page_is_said(body: bytes) -> None:
    for lister, account in ((TwilioLister(), TWILIO), (VonageLister(), VONAGE)):
        with pytest.raises(BadPage):
            lister.read(Answer(200, body), account, SINCE, FIRST)


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, {"sid": 7}, {"direction": []}])
def test_an_odd_entry_is_a_request_like_any_other_and_breaks_nothing(odd: Any) -> None:
    (request,) = TwilioLister().read(twilio_page(odd), TWILIO, SINCE, FIRST).requests
    assert request.media_type() == "application/x-www-form-urlencoded"
    (request,) = VonageLister().read(vonage_page(odd), VONAGE, SINCE, FIRST).requests
    assert request.media_type() == "application/json"


LISTS = {
    "chatwoot": [(FIRST, ("data", "payload")), (Question("messages", ("{}", "")), ("payload",))],
    "instagram": [(FIRST, ("data",))],
    "intercom": [(Question("search", ("app", "")), ("conversations",))],
    "mailgun": [(FIRST, ("items",))],
    "messenger": [(FIRST, ("data",))],
    "postmark": [(FIRST, ("InboundMessages",))],
    "slack": [
        (Question("channels", ("T0", "U0", "")), ("channels",)),
        (Question("history", ("T0", "U0", "C0", "")), ("messages",)),
        (Question("replies", ("T0", "U0", "C0", "1.000000", "")), ("messages",)),
    ],
}
QUESTIONS = [
    (provider, question, path)
    for provider, questions in LISTS.items()
    for question, path in questions
]


def test_every_lister_that_fetches_is_tried_with_odd_lists() -> None:
    assert set(LISTS) == set(LISTERS) - {"twilio", "vonage"}


@pytest.mark.parametrize(("provider", "question", "path"), QUESTIONS)
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"ok": true}', b"[" * 9_999])
def test_what_is_no_list_is_said(provider: str, question: Question, path: Any, body: bytes) -> None:
    with pytest.raises(BadPage):
        LISTERS[provider].read(Answer(200, body), LISTING[provider], SINCE, question)


@pytest.mark.parametrize(("provider", "question", "path"), QUESTIONS)
@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, {"id": []}, {"id": {}, "ts": 7, "to": 7}])
def test_an_odd_entry_breaks_no_list(
    provider: str, question: Question, path: Any, odd: Any
) -> None:
    found: Any = [odd]
    for name in reversed(path):
        found = {name: found}
    page = answered(provider, {"ok": True, **found}, question)
    for request in page.requests:
        read(ADAPTERS[provider], request, LISTING[provider], NOW, IDS)
    assert page.items == ()


@pytest.mark.parametrize("provider", ["intercom", "slack"])
def test_a_provider_that_does_not_say_who_we_are_is_not_listed(provider: str) -> None:
    with pytest.raises(BadPage, match="no "):
        answered(provider, {"ok": True})
