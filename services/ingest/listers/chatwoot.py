"""Chatwoot's past messages, told as its webhooks would have told them.

Sources: Chatwoot's API reference, "Conversations List" and "Get messages", and its source
(`conversation_finder.rb`: the last active first; `message_finder.rb`: 20 messages before an id).
"""

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from services.ingest.adapters.payloads.chatwoot_message import moment
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.numbers import digits
from services.ingest.listers.contract import Lister, Page, Question, listed_by, request_of
from services.ingest.senders.contract import Answer, Call

API = "https://app.chatwoot.com/api/v1/accounts"
LIST = {"status": "all", "assignee_type": "all", "sort_by": "last_activity_at_desc"}


class ChatwootLister(Lister):
    """The conversations that were active since, each with its messages."""

    provider = "chatwoot"
    secrets = frozenset({"api_access_token"})
    options = frozenset({"account_id"})

    def compose(self, account: ChannelAccount, since: datetime, question: Question) -> Call:
        """Return the call for a page of conversations, or of one conversation's messages."""
        path, query = "conversations", {**LIST, "page": (question.knows or ("1",))[0]}
        if question.asks == "messages":
            conversation, before = question.knows
            path = f"conversations/{json.loads(conversation)['id']}/messages"
            query = {"before": before} if before else {}
        url = f"{API}/{account.options['account_id']}/{path}"
        headers = {"api_access_token": account.secrets["api_access_token"][0].decode()}
        return Call(f"{url}?{urlencode(query)}" if query else url, b"", headers, "GET")

    def read(
        self, answer: Answer, account: ChannelAccount, since: datetime, question: Question
    ) -> Page:
        """Return which conversations there are, or messages as the webhook's requests."""
        if question.asks == "messages":
            return _messages(answer, account, since, question)
        found = listed_by(answer, "data", "payload")
        active = [each for each in found if _is_since(each, "last_activity_at", since)]
        items = [Question("messages", (told, "")) for each in active if (told := _known(each))]
        number = int((question.knows or ("1",))[0])
        return Page((), tuple(items), Question("page", (str(number + 1),)) if active else None)


def _is_since(told: Any, name: str, since: datetime) -> bool:
    return (moment(object_at(told), name) or since) >= since


def _known(conversation: Any) -> str | None:
    """Return what a webhook tells of the conversation with each message, as JSON."""
    own_id = string_at(conversation, "id")
    if own_id is None or not own_id.isdigit():
        return None
    sender, channel = (object_at(conversation, "meta").get(name) for name in ("sender", "channel"))
    return json.dumps({"id": own_id, "channel": channel, "meta": {"sender": sender}})


def _messages(answer: Answer, account: ChannelAccount, since: datetime, question: Question) -> Page:
    """Return the messages of a page that were written since; the older page, if all of it were."""
    listed = [object_at(one) for one in listed_by(answer, "payload")]
    late = [one for one in listed if _is_since(one, "created_at", since)]
    conversation = question.knows[0]
    requests = tuple(_request(one, account, json.loads(conversation)) for one in late)
    ids = [own_id for one in listed if (own_id := digits(string_at(one, "id"))) is not None]
    older = Question("messages", (conversation, str(min(ids)))) if ids and late == listed else None
    return Page(requests, following=older)


def _request(
    message: dict[str, Any], account: ChannelAccount, conversation: dict[str, Any]
) -> RawRequest:
    deleted = object_at(message, "content_attributes").get("deleted") is True
    event = "message_updated" if deleted else "message_created"
    told = {"event": event, "account": {"id": account.options["account_id"]}}
    return request_of({**message, **told, "conversation": conversation})
