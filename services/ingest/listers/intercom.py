"""Intercom's past conversations, told part by part as its webhooks would have told them.

Sources: Intercom's API reference, "Identify an admin" (`app.id_code`, which webhooks call
`app_id`), "Search conversations" and "Retrieve a conversation" (at most 500 parts).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from services.ingest.adapters.building import from_unix
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.listers.contract import (
    Lister,
    Page,
    Question,
    object_of,
    page_with,
    request_of,
    told_by,
)
from services.ingest.senders.contract import Answer, Call
from services.ingest.senders.provider_calls import bearer, in_json

API = "https://api.intercom.io"
PAGE = 50  # conversations of about 4 KiB without their parts
DAY = timedelta(days=1)  # the search may take a time as its day
OPENED = "conversation.user.created"
REPLIED = "conversation.user.replied"
REDACTED = "conversation_part.redacted"
WRITTEN = frozenset({"comment", "open"})  # `open`: what was written reopened the conversation
BY_PEOPLE = frozenset({None, "customer_initiated", "admin_initiated"})
"""How a conversation is delivered whose opening is told; others are campaigns and workflows."""


class IntercomLister(Lister):
    """The conversations that changed since, each with its parts."""

    provider = "intercom"
    secrets = frozenset({"access_token"})

    def compose(self, account: ChannelAccount, since: datetime, question: Question) -> Call:
        """Return the call that asks who we are, for a page of the search, or a conversation."""
        headers = {**bearer(account, "access_token"), "accept": "application/json"}
        if question.asks == "first":
            return Call(f"{API}/me", b"", headers, "GET")
        if question.asks == "conversation":
            where = f"{API}/conversations/{quote(question.knows[1], safe='')}"
            return Call(where, b"", headers, "GET")
        changed = int((since - DAY).timestamp())
        cursor = {"starting_after": question.knows[1]} if question.knows[1] else {}
        search = {
            "query": {"field": "updated_at", "operator": ">", "value": changed},
            "pagination": {"per_page": PAGE, **cursor},
        }
        return Call(f"{API}/conversations/search", in_json(search), headers)

    def read(
        self, answer: Answer, account: ChannelAccount, since: datetime, question: Question
    ) -> Page:
        """Return what comes after it, and of a conversation a notification for each part."""
        if question.asks == "first":
            app = told_by(object_of(answer), "app", "id_code")
            return Page(following=Question("search", (app, "")))
        app = question.knows[0]
        if question.asks == "conversation":
            return Page(tuple(_notifications(object_of(answer), app, since)))
        found = page_with(answer, "conversations")
        ids = [
            string_at(each, "id")
            for each in list_at(found, "conversations")
            if _is_since(each, "updated_at", since)
        ]
        cursor = string_at(found, "pages", "next", "starting_after")
        items = tuple(Question("conversation", (app, one)) for one in ids if one)
        return Page((), items, Question("search", (app, cursor)) if cursor else None)


def _is_since(told: Any, name: str, since: datetime) -> bool:
    return (from_unix(string_at(told, name)) or since) >= since


def _notifications(item: dict[str, Any], app: str, since: datetime) -> Iterator[RawRequest]:
    """Yield what was written since: the opening, then the parts."""
    parts = list_at(item, "conversation_parts", "conversation_parts")
    source = object_at(item, "source")
    if (
        source.get("redacted") is not True
        and string_at(source, "delivered_as") in BY_PEOPLE
        and _is_since(item, "created_at", since)
    ):
        yield _notification(app, OPENED, item, [], string_at(item, "created_at"))
    for part in parts:
        if string_at(part, "part_type") not in WRITTEN:
            continue
        if object_at(part).get("redacted") is True:
            if _is_since(part, "updated_at", since):
                yield _notification(app, REDACTED, item, [part], string_at(part, "updated_at"))
        elif _is_since(part, "created_at", since):
            yield _notification(app, REPLIED, item, [part], string_at(part, "created_at"))


def _notification(
    app: str, topic: str, item: dict[str, Any], parts: list[Any], at: str | None
) -> RawRequest:
    listed = {**object_at(item, "conversation_parts"), "conversation_parts": parts}
    note = {"type": "notification_event", "app_id": app, "topic": topic, "created_at": at}
    return request_of({**note, "data": {"item": {**item, "conversation_parts": listed}}})
