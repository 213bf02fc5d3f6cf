"""Listers of helpdesks: conversations, then what was written in each since."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from services.ingest.listers.contract import FIRST, Page, Question
from tests.support.builders_ingest import parse, payload
from tests.support.builders_listers import SINCE, answered, asked, listed_events

APP = "a1b2c3d4"
CONVERSATION = Question("conversation", (APP, "215468900000001"))


def item_of(name: str) -> dict[str, Any]:
    """Return the conversation of a notification, as Intercom gives it by itself."""
    item: dict[str, Any] = json.loads(payload("intercom", name))["data"]["item"]
    return item


def changed(name: str, **changes: Any) -> dict[str, Any]:
    """Return the conversation with its one part changed."""
    item = item_of(name)
    (part,) = item["conversation_parts"]["conversation_parts"]
    listed = {"conversation_parts": [{**part, **changes}]}
    return {**item, "conversation_parts": {**item["conversation_parts"], **listed}}


def late(name: str) -> Any:
    """Return when the fixture's conversation began, plus a second: its opening is older."""
    return SINCE.fromtimestamp(item_of(name)["created_at"] + 1, SINCE.tzinfo)


def test_intercom_is_asked_first_what_the_webhooks_call_the_app() -> None:
    call = asked("intercom")
    assert (call.method, call.url) == ("GET", "https://api.intercom.io/me")
    assert call.headers["authorization"] == "Bearer t"
    page = answered("intercom", {"type": "admin", "id": "7", "app": {"id_code": APP}})
    assert page == Page(following=Question("search", (APP, "")))


def test_intercom_is_searched_from_the_day_before_on() -> None:
    call = asked("intercom", Question("search", (APP, "c2")))
    assert (call.method, call.url) == ("POST", "https://api.intercom.io/conversations/search")
    before = int((SINCE - timedelta(days=1)).timestamp())
    assert json.loads(call.body) == {
        "query": {"field": "updated_at", "operator": ">", "value": before},
        "pagination": {"per_page": 50, "starting_after": "c2"},
    }


def test_each_conversation_that_changed_is_fetched() -> None:
    new, old = ({"id": str(n), "updated_at": int(SINCE.timestamp()) - n} for n in (0, 1))
    found = {"conversations": [new, old], "pages": {"next": {"starting_after": "c2"}}}
    page = answered("intercom", found, Question("search", (APP, "")))
    assert page == Page(
        (), (Question("conversation", (APP, "0")),), Question("search", (APP, "c2"))
    )
    assert asked("intercom", page.items[0]).url == "https://api.intercom.io/conversations/0"
    last = answered("intercom", {"conversations": [], "pages": {}}, Question("search", (APP, "c2")))
    assert last == Page()


@pytest.mark.parametrize("name", ["conversation-created", "conversation-by-email"])
def test_an_opening_is_the_one_the_webhook_told(name: str) -> None:
    page = answered("intercom", item_of(name), CONVERSATION)
    assert tuple(listed_events("intercom", page)) == parse("intercom", name).events


@pytest.mark.parametrize(
    "name", ["user-replied", "admin-replied", "operator-replied", "attachment", "two-replies"]
)
def test_each_part_is_the_one_the_webhook_told(name: str) -> None:
    page = answered("intercom", item_of(name), CONVERSATION, late(name))
    assert tuple(listed_events("intercom", page)) == parse("intercom", name).events


def test_a_redacted_part_has_the_id_of_its_webhook() -> None:
    (told,) = parse("intercom", "part-redacted").events
    redacted = changed("part-redacted", redacted=True, part_type="comment")
    page = answered("intercom", redacted, CONVERSATION, late("part-redacted"))
    (event,) = listed_events("intercom", page)
    assert (event.id, event.type) == (told.id, told.type)


@pytest.mark.parametrize("kind", ["note", "close", "assignment", "snoozed"])
def test_parts_that_are_no_messages_are_not_listed(kind: str) -> None:
    conversation = changed("user-replied", part_type=kind)
    assert answered("intercom", conversation, CONVERSATION, late("user-replied")) == Page()


def test_an_opening_that_nobody_wrote_is_not_listed() -> None:
    item = item_of("conversation-created")
    campaign = {**item, "source": {**item["source"], "delivered_as": "campaign_initiated"}}
    assert answered("intercom", campaign, CONVERSATION) == Page()


def test_parts_of_before_are_left_out() -> None:
    part = item_of("user-replied")["conversation_parts"]["conversation_parts"][0]
    since = SINCE.fromtimestamp(part["created_at"], SINCE.tzinfo)
    found = item_of("user-replied")
    assert len(answered("intercom", found, CONVERSATION, since).requests) == 1
    assert answered("intercom", found, CONVERSATION, since + timedelta(seconds=1)) == Page()


def listed_message(name: str, **changes: Any) -> dict[str, Any]:
    """Return a fixture's message as Chatwoot lists it: numbers for kinds and times."""
    told = json.loads(payload("chatwoot", name))
    kinds = {"incoming": 0, "outgoing": 1, "activity": 2, "template": 3}
    found = {
        "id": told["id"],
        "content": told["content"],
        "conversation_id": told["conversation"]["id"],
        "message_type": kinds[told["message_type"]],
        "content_type": told["content_type"],
        "content_attributes": told["content_attributes"],
        "created_at": int((SINCE + timedelta(hours=1)).timestamp()),
        "private": told["private"],
        "sender": told.get("sender"),
        "attachments": told.get("attachments", []),
    }
    return {**found, **changes}


def conversation(name: str = "incoming", **changes: Any) -> dict[str, Any]:
    """Return a fixture's conversation as Chatwoot lists it."""
    told = json.loads(payload("chatwoot", name))["conversation"]
    meta = {"sender": told["meta"]["sender"], "channel": told["channel"]}
    return {
        "id": told["id"],
        "meta": meta,
        "last_activity_at": int(SINCE.timestamp()),
        "status": "open",
        **changes,
    }


def conversations(*listed: Any, question: Question = FIRST) -> Page:
    return answered("chatwoot", {"data": {"meta": {}, "payload": list(listed)}}, question)


def messages(name: str, *listed: Any, since: Any = SINCE) -> Page:
    (question,) = conversations(conversation(name)).items
    return answered("chatwoot", {"meta": {}, "payload": list(listed)}, question, since)


def test_chatwoot_is_asked_for_conversations_of_every_status() -> None:
    call = asked("chatwoot")
    assert call.url.partition("?")[0] == "https://app.chatwoot.com/api/v1/accounts/1/conversations"
    assert dict(parse_qsl(urlsplit(call.url).query)) == {
        "status": "all",
        "assignee_type": "all",
        "sort_by": "last_activity_at_desc",
        "page": "1",
    }
    assert call.headers["api_access_token"] == "t"


def test_chatwoots_pages_end_where_conversations_are_too_old() -> None:
    old = conversation(id=13, last_activity_at=int(SINCE.timestamp()) - 1)
    page = conversations(conversation(), old)
    assert len(page.items) == 1
    assert "page=2" in asked("chatwoot", page.following or FIRST).url
    assert conversations(old, question=Question("page", ("2",))) == Page()
    assert conversations(question=Question("page", ("2",))) == Page()


@pytest.mark.parametrize("name", ["incoming", "incoming-email", "incoming-whatsapp", "outgoing"])
def test_a_message_of_chatwoots_is_the_one_the_webhook_told(name: str) -> None:
    page = messages(name, listed_message(name))
    assert tuple(listed_events("chatwoot", page)) == parse("chatwoot", name).events


@pytest.mark.parametrize("name", ["attachment", "reply", "template", "outgoing-bot", "emoji"])
def test_whatever_it_is_its_id_is_that_of_the_webhook(name: str) -> None:
    (event,) = listed_events("chatwoot", messages(name, listed_message(name)))
    (told,) = parse("chatwoot", name).events
    assert (event.id, event.type) == (told.id, told.type)
    assert event.data.conversation_id == told.data.conversation_id
    assert event.data.contact_points == told.data.contact_points


def test_a_deleted_message_is_told_as_deleted() -> None:
    deleted = listed_message("incoming", content_attributes={"deleted": True})
    (event,) = listed_events("chatwoot", messages("incoming", deleted))
    assert event.type == "throughline.message.deleted.v1"


def test_private_notes_and_activity_are_no_events() -> None:
    note = listed_message("outgoing", private=True)
    activity = listed_message("incoming", message_type=2)
    assert listed_events("chatwoot", messages("incoming", note, activity)) == []


def test_older_messages_are_asked_for_while_all_were_written_since() -> None:
    early = listed_message("incoming", id=90, created_at=int(SINCE.timestamp()) - 1)
    page = messages("incoming", listed_message("incoming"), listed_message("incoming", id=99))
    assert asked("chatwoot", page.following or FIRST).url == (
        "https://app.chatwoot.com/api/v1/accounts/1/conversations/12/messages?before=99"
    )
    ended = messages("incoming", early, listed_message("incoming"))
    assert (len(ended.requests), ended.following) == (1, None)
    assert messages("incoming") == Page()
