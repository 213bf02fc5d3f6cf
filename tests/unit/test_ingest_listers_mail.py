"""Listers of mail providers: which mails there are, then each of them whole."""

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from services.ingest.listers.contract import FIRST, BadPage, Question
from services.ingest.listers.mailgun import MailgunLister
from services.ingest.listers.postmark import PAGE
from tests.support.builders_ingest import parse, payload
from tests.support.builders_listers import LISTING, SINCE, answered, asked, listed_events
from tests.support.builders_replies import sending_account

MAIL = Question("mail", ("22c74902-a0c1-4511-8044-000000000001",))
EVENTS = "https://api.mailgun.net/v3/mg.example.com/events"


def postmark_details(name: str) -> dict[str, Any]:
    """Return a fixture's mail as Postmark's details have it: files without their contents."""
    told = json.loads(payload("postmark", name))
    told.pop("RawEmail", None)
    told["Attachments"] = [
        {key: value for key, value in file.items() if key != "Content"}
        for file in told["Attachments"]
    ]
    return {**told, "Status": "Processed", "BlockedReason": ""}


def test_postmark_is_asked_for_mails_from_the_day_before_on() -> None:
    call = asked("postmark")
    url = urlsplit(call.url)
    assert (call.method, url.path) == ("GET", "/messages/inbound")
    assert dict(parse_qsl(url.query)) == {"count": "100", "offset": "0", "fromdate": "2026-11-02"}
    assert call.headers["x-postmark-server-token"] == "t"


def test_each_of_postmarks_mails_is_fetched_whole() -> None:
    page = answered("postmark", {"TotalCount": 1, "InboundMessages": [{"MessageID": "m/1"}]})
    assert (page.requests, page.items, page.following) == ((), (Question("mail", ("m/1",)),), None)
    url = asked("postmark", page.items[0]).url
    assert url == "https://api.postmarkapp.com/messages/inbound/m%2F1/details"


def test_a_mail_that_postmark_kept_from_the_hook_is_not_listed() -> None:
    blocked = {"MessageID": "m-1", "Status": "Blocked"}
    assert answered("postmark", {"InboundMessages": [blocked]}).items == ()


def test_postmarks_next_page_follows_a_full_one() -> None:
    full = {"InboundMessages": [{"MessageID": f"m-{number}"} for number in range(PAGE)]}
    page = answered("postmark", full)
    assert page.following == Question("page", ("100",))
    assert "offset=100&" in asked("postmark", page.following).url
    assert answered("postmark", full, page.following).following == Question("page", ("200",))


@pytest.mark.parametrize("name", ["message", "reply", "out-of-office"])
def test_a_mail_of_postmarks_is_the_one_the_webhook_told(name: str) -> None:
    (event,) = listed_events("postmark", answered("postmark", postmark_details(name), MAIL))
    assert (event,) == parse("postmark", name).events


def test_a_file_that_postmark_keeps_no_more_comes_by_its_name() -> None:
    details = postmark_details("attachment")
    (event,) = listed_events("postmark", answered("postmark", details, MAIL))
    (told,) = parse("postmark", "attachment").events
    assert event.id == told.id
    assert [(file.name, file.size) for file in event.data.attachments] == [
        ("račun.pdf", 0),
        ("logo.png", 0),
    ]


def stored(name: str = "stored", **changes: Any) -> dict[str, Any]:
    """Return a fixture's mail as Mailgun keeps it: the route's parameters as JSON."""
    form = dict(parse_qsl(payload("mailgun", name).decode()))
    found: dict[str, Any] = {
        "recipients": form["recipient"],
        "sender": form["sender"],
        "from": form["from"],
        "subject": form["subject"],
        "body-plain": form["body-plain"],
        "stripped-text": form["body-plain"],
        "message-headers": json.loads(form["message-headers"]),
        "attachments": json.loads(form.get("attachments", "[]")),
    }
    if "body-html" in form:
        found["body-html"] = form["body-html"]
    return {**found, **changes}


def test_mailgun_is_asked_for_what_it_stored_since() -> None:
    call = asked("mailgun")
    url = urlsplit(call.url)
    assert (call.method, call.url.partition("?")[0]) == ("GET", EVENTS)
    assert dict(parse_qsl(url.query)) == {
        "begin": str(int(SINCE.timestamp())),
        "event": "stored",
        "ascending": "yes",
        "limit": "100",
    }
    assert call.headers["authorization"] == "Basic " + base64.b64encode(b"api:k").decode()


def test_each_of_mailguns_mails_is_fetched_by_its_key() -> None:
    following = f"{EVENTS}/W3siYSI6"
    found = {"items": [{"storage": {"key": "AwEB=="}}, {}], "paging": {"next": following}}
    page = answered("mailgun", found)
    assert asked("mailgun", page.items[0]).url == (
        "https://api.mailgun.net/v3/domains/mg.example.com/messages/AwEB%3D%3D"
    )
    assert len(page.items) == 1
    assert asked("mailgun", page.following or FIRST).url == following


def test_mailguns_empty_page_is_the_last() -> None:
    page = answered("mailgun", {"items": [], "paging": {"next": f"{EVENTS}/again"}})
    assert page.following is None


def test_a_next_page_elsewhere_is_not_followed() -> None:
    for url in ("https://evil.example.com/v3/", "https://api.mailgun.net/v3/other.example.com/"):
        with pytest.raises(BadPage, match="leads elsewhere"):
            answered("mailgun", {"items": [{}], "paging": {"next": url}})


def test_mailguns_european_region_is_asked_there() -> None:
    account = sending_account(
        "mailgun", secrets={"api_key": "k"}, domain="mg.example.com", region="eu"
    )
    url = MailgunLister().compose(account, SINCE, FIRST).url
    assert url.startswith("https://api.eu.mailgun.net/v3/mg.example.com/events?")


@pytest.mark.parametrize("name", ["stored", "parsed", "reply", "emoji", "rtl"])
def test_a_mail_that_mailgun_stored_is_the_one_the_route_told(name: str) -> None:
    page = answered("mailgun", stored(name), Question("mail", ("k",)))
    assert tuple(listed_events("mailgun", page)) == parse("mailgun", name).events


def test_a_mail_to_several_is_told_to_this_mailbox_alone() -> None:
    several = stored(recipients="sales@example.com, support@example.com")
    page = answered("mailgun", several, Question("mail", ("k",)))
    assert tuple(listed_events("mailgun", page)) == parse("mailgun", "stored").events


def test_a_mail_to_another_mailbox_of_the_domain_is_not_ours() -> None:
    page = answered("mailgun", stored(recipients="sales@example.com"), Question("mail", ("k",)))
    assert page.requests == ()


def test_no_key_shows_in_a_repr() -> None:
    for provider in ("mailgun", "postmark"):
        assert "authorization" not in repr(asked(provider))
        assert LISTING[provider].secrets
