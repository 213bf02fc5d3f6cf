"""Slack's past messages, told as its events would have told them.

Sources: Slack's pages "auth.test", "users.conversations", "conversations.history" and
"conversations.replies". A message is known by its channel and `ts`, listed or told. Edits,
deletions and reactions go by an event's id, which no list has: they are not listed.
"""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from services.ingest.adapters.payloads.slack_content import moment_of
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.slack import CONTENT
from services.ingest.domain.json_fields import string_at, value_at
from services.ingest.listers.contract import (
    BadPage,
    Lister,
    Page,
    Question,
    listed_by,
    object_of,
    request_of,
    told_by,
)
from services.ingest.senders.contract import Answer, Call
from services.ingest.senders.provider_calls import bearer

API = "https://slack.com/api"
PAGE = 200  # as Slack recommends
THREADS = timedelta(days=7)  # how old the first message of a thread is that was answered since
METHODS = {
    "first": "auth.test",
    "channels": "users.conversations",
    "history": "conversations.history",
    "replies": "conversations.replies",
}


class SlackLister(Lister):
    """The direct messages and channels the app is in, and the threads in them."""

    provider = "slack"
    secrets = frozenset({"bot_token"})

    def compose(self, account: ChannelAccount, since: datetime, question: Question) -> Call:
        """Return the call of a question; every one but the first knows our team and bot."""
        query = _query(question, since)
        url = f"{API}/{METHODS[question.asks]}" + (f"?{urlencode(query)}" if query else "")
        headers = {"authorization": bearer(account, "bot_token")["authorization"]}
        return Call(url, b"", headers, "GET")

    def read(
        self, answer: Answer, account: ChannelAccount, since: datetime, question: Question
    ) -> Page:
        """Return what comes after it, and the messages; a thread that is refused as not read."""
        found = object_of(answer)
        if value_at(found, "ok") is not True:
            error = string_at(found, "error")
            if error and question.asks == "replies":
                return Page((request_of(found),))
            raise BadPage(f"Slack error {(error or 'unknown')[:100]}")
        if question.asks == "first":
            us = told_by(found, "team_id"), told_by(found, "user_id")
            return Page(following=Question("channels", (*us, "")))
        following = _following(found, question)
        if question.asks == "channels":
            ids = (string_at(one, "id") for one in listed_by(answer, "channels"))
            items = (Question("history", (*question.knows[:2], one, "")) for one in ids if one)
            return Page((), tuple(items), following)
        messages = listed_by(answer, "messages")
        requests = (_request(one, question) for one in messages if _is_listed(one, question, since))
        return Page(tuple(requests), _threads(messages, question, since), following)


def _query(question: Question, since: datetime) -> dict[str, Any]:
    if question.asks == "first":
        return {}
    _, _, *about, cursor = question.knows
    page = {"limit": PAGE, **({"cursor": cursor} if cursor else {})}
    if question.asks == "channels":
        return {"types": "public_channel,im", **page}
    oldest = since - THREADS if question.asks == "history" else since
    asked = dict(zip(("channel", "ts"), about, strict=False))
    return {**asked, "oldest": f"{oldest.timestamp():.6f}", "inclusive": "true", **page}


def _following(found: dict[str, Any], question: Question) -> Question | None:
    cursor = string_at(found, "response_metadata", "next_cursor")
    return Question(question.asks, (*question.knows[:-1], cursor)) if cursor else None


def _is_listed(message: Any, question: Question, since: datetime) -> bool:
    """Say whether a message is one, was written since, and is not the first of its thread again."""
    ts = string_at(message, "ts")
    written = moment_of(ts)
    again = question.asks == "replies" and ts == question.knows[3]
    return string_at(message, "subtype") in CONTENT and not again and (written or since) >= since


def _request(message: Any, question: Question) -> RawRequest:
    """Return the event of a message; an odd entry becomes one that cannot be read."""
    team, bot, channel = question.knows[:3]
    told = message if isinstance(message, dict) else {}
    return request_of(
        {
            "type": "event_callback",
            "team_id": team,
            "event_id": f"listed/{channel}/{string_at(told, 'ts')}",
            "authorizations": [{"team_id": team, "user_id": bot, "is_bot": True}],
            "event": {**told, "type": "message", "channel": channel},
        }
    )


def _threads(messages: list[Any], question: Question, since: datetime) -> tuple[Question, ...]:
    """Return the questions to threads that somebody wrote in since."""
    if question.asks != "history":
        return ()
    return tuple(
        Question("replies", (*question.knows[:3], ts, ""))
        for one in messages
        if (ts := string_at(one, "ts"))
        and value_at(one, "reply_count")
        and (moment_of(string_at(one, "latest_reply")) or since) >= since
    )
