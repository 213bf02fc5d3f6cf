"""Listers of Slack, Messenger and Instagram: channels or conversations, then their messages."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.listers.contract import FIRST, BadPage, Page, Question
from tests.support.builders_ingest import IDS, NOW, parse, payload
from tests.support.builders_listers import LISTING, answered, asked, listed_events

WRITTEN = datetime.fromtimestamp(1762160400, UTC)  # when the fixtures' messages were
BEFORE = WRITTEN - timedelta(hours=1)
US = ("T0EXAMPLE", "U0OURBOT")
HISTORY = Question("history", (*US, "D0ANA", ""))
THREAD = Question("replies", (*US, "C0HELP", "1762160400.000400", ""))


def in_history(name: str) -> dict[str, Any]:
    """Return a fixture's message as Slack's history has it: without its channel."""
    told = json.loads(payload("slack", name))["event"]
    left_out = ("channel", "event_ts", "channel_type", "user_profile")
    found: dict[str, Any] = {key: told[key] for key in told if key not in left_out}
    return found


def slack(
    *messages: Any, question: Question = HISTORY, since: datetime = BEFORE, **more: Any
) -> Page:
    return answered("slack", {"ok": True, "messages": list(messages), **more}, question, since)


def query(question: Question) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(asked("slack", question, BEFORE).url).query))


def test_slack_is_asked_first_who_we_are() -> None:
    call = asked("slack")
    assert (call.method, call.url) == ("GET", "https://slack.com/api/auth.test")
    assert call.headers["authorization"] == "Bearer xoxb-t"
    page = answered("slack", {"ok": True, "team_id": US[0], "user_id": US[1], "bot_id": "B0"})
    assert page == Page(following=Question("channels", (*US, "")))


def test_then_for_its_direct_messages_and_channels() -> None:
    question = Question("channels", (*US, ""))
    assert query(question) == {"types": "public_channel,im", "limit": "200"}
    found = {"ok": True, "channels": [{"id": "D0ANA"}], "response_metadata": {"next_cursor": "c2"}}
    page = answered("slack", found, question)
    assert page.items == (HISTORY,)
    assert query(page.following or FIRST)["cursor"] == "c2"
    last = {"ok": True, "channels": [], "response_metadata": {"next_cursor": ""}}
    assert answered("slack", last, question).following is None


def test_a_history_is_asked_for_far_enough_back_to_find_threads() -> None:
    week = (BEFORE - timedelta(days=7)).timestamp()
    assert query(HISTORY) == {
        "channel": "D0ANA",
        "oldest": f"{week:.6f}",
        "inclusive": "true",
        "limit": "200",
    }
    page = slack(response_metadata={"next_cursor": "c2"})
    assert query(page.following or FIRST)["cursor"] == "c2"


@pytest.mark.parametrize("name", ["text", "emoji", "rtl", "escaped"])
def test_a_message_of_slacks_history_is_the_one_the_event_told(name: str) -> None:
    assert tuple(listed_events("slack", slack(in_history(name)))) == parse("slack", name).events


def test_a_file_in_slacks_history_is_the_one_the_event_told() -> None:
    (event,) = listed_events("slack", slack(in_history("file")))
    (told,) = parse("slack", "file").events
    assert (event.id, event.data.kind) == (told.id, told.data.kind)
    assert event.data.attachments == told.data.attachments


def test_a_threads_message_is_the_one_the_event_told() -> None:
    opening = {"ts": THREAD.knows[3], "user": "U0ANA", "text": "Hello", "reply_count": 1}
    page = slack(opening, in_history("thread"), question=THREAD)
    assert tuple(listed_events("slack", page)) == parse("slack", "thread").events


def test_a_thread_is_asked_for_if_somebody_wrote_in_it_since() -> None:
    older = f"{(WRITTEN - timedelta(days=2)).timestamp():.6f}"
    answered_since = {"ts": older, "reply_count": 2, "latest_reply": "1762160460.000500"}
    long_ago = {"ts": "1762000000.000000", "reply_count": 1, "latest_reply": older}
    page = slack(answered_since, long_ago, {"ts": "1762160400.000100"})
    assert page.items == (Question("replies", (*US, "D0ANA", older, "")),)
    assert query(page.items[0])["ts"] == older
    assert len(page.requests) == 1


def test_what_was_written_before_is_left_out() -> None:
    assert slack(in_history("text"), since=WRITTEN + timedelta(seconds=1)).requests == ()
    assert len(slack(in_history("text"), since=WRITTEN).requests) == 1


def test_our_own_messages_and_those_who_joined_are_no_events() -> None:
    ours = {"ts": "1762160400.000900", "user": US[1], "parent_user_id": "U0ANA", "text": "Hi"}
    joined = {"ts": "1762160401.000100", "user": "U0ANA", "subtype": "channel_join", "text": "…"}
    page = slack(ours, joined)
    assert len(page.requests) == 1
    assert listed_events("slack", page) == []


def test_slacks_error_is_said_in_its_own_word() -> None:
    with pytest.raises(BadPage, match="missing_scope"):
        answered("slack", {"ok": False, "error": "missing_scope"}, HISTORY)


def test_a_thread_that_slack_refuses_counts_as_not_read() -> None:
    page = answered("slack", {"ok": False, "error": "not_allowed_token_type"}, THREAD)
    (request,) = page.requests
    with pytest.raises(Exception, match="could not be understood"):
        ADAPTERS["slack"].parse(request, LISTING["slack"], NOW, IDS)


def meta_message(provider: str, **changes: Any) -> dict[str, Any]:
    """Return the fixture `text` as Meta's Graph has it, unless changed."""
    told = json.loads(payload(provider, "text"))["entry"][0]["messaging"][0]
    return {
        "id": told["message"]["mid"],
        "created_time": "2025-11-03T09:00:00+0000",
        "from": {"id": told["sender"]["id"], "name": "Ana Kovač"},
        "to": {"data": [{"id": told["recipient"]["id"]}]},
        "message": told["message"]["text"],
        **changes,
    }


def meta(provider: str, *messages: Any, since: datetime = BEFORE) -> Page:
    question = Question("conversation", ("t_1",))
    return answered(provider, {"id": "t_1", "messages": {"data": list(messages)}}, question, since)


@pytest.mark.parametrize(
    ("provider", "base", "platform"),
    [
        ("messenger", "https://graph.facebook.com/v23.0/900100/conversations", "messenger"),
        ("instagram", "https://graph.instagram.com/v23.0/178414/conversations", "instagram"),
    ],
)
def test_meta_is_asked_for_conversations_that_changed(
    provider: str, base: str, platform: str
) -> None:
    call = asked(provider)
    assert call.url.partition("?")[0] == base
    assert dict(parse_qsl(urlsplit(call.url).query)) == {
        "platform": platform,
        "fields": "updated_time",
        "limit": "50",
    }
    assert call.headers["authorization"] == "Bearer t"


def test_metas_next_page_is_asked_for_while_conversations_are_new_enough() -> None:
    new, old = ({"id": "t_1", "updated_time": f"2025-11-03T0{hour}:00:00+0000"} for hour in (9, 7))
    paging = {"cursors": {"after": "c2"}, "next": "https://evil.example.com/"}
    page = answered("messenger", {"data": [new, old], "paging": paging}, FIRST, BEFORE)
    assert page.items == (Question("conversation", ("t_1",)),)
    following = asked("messenger", page.following or FIRST)
    assert "after=c2" in following.url
    assert answered("messenger", {"data": [old], "paging": paging}, FIRST, BEFORE) == Page()
    last = {"data": [new], "paging": {"cursors": {"after": "c2"}}}
    assert answered("messenger", last, FIRST, BEFORE).following is None


@pytest.mark.parametrize("provider", ["messenger", "instagram"])
def test_a_message_of_metas_is_the_one_the_webhook_told(provider: str) -> None:
    page = meta(provider, meta_message(provider))
    assert tuple(listed_events(provider, page)) == parse(provider, "text").events


def test_a_picture_of_metas_is_listed_by_its_address() -> None:
    url = "https://cdn.example.com/pokrov.png"
    file = {"mime_type": "image/png", "name": "pokrov.png", "image_data": {"url": url}}
    told = meta_message("messenger", message="", attachments={"data": [file]})
    (event,) = listed_events("messenger", meta("messenger", told))
    assert (event.data.kind, event.data.attachments[0].reference) == ("image", url)


def test_what_the_page_wrote_itself_is_not_listed() -> None:
    to_ana = {"data": [{"id": "700200300400500"}]}
    ours = meta_message("messenger", **{"from": {"id": "900100"}, "to": to_ana})
    unnamed = meta_message("messenger", **{"from": {"id": "17"}, "to": to_ana})
    assert meta("messenger", ours, unnamed).requests == ()


def test_what_was_written_to_the_page_before_is_left_out() -> None:
    told = meta_message("messenger")
    assert meta("messenger", told, since=WRITTEN + timedelta(seconds=1)).requests == ()
