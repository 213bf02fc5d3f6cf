"""Builders for listers: what a provider answers, and what the hook's adapter makes of a page."""

import json
from datetime import UTC, datetime
from typing import Any

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import ChannelAccount
from services.ingest.listers.contract import FIRST, Page, Question
from services.ingest.listers.registry import LISTERS
from services.ingest.senders.contract import Answer, Call
from services.ingest.senders.registry import SENDERS
from tests.support.builders_ingest import IDS, NOW
from tests.support.builders_replies import sending_account

SINCE = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)

LISTING: dict[str, ChannelAccount] = {
    "chatwoot": sending_account("chatwoot", secrets={"api_access_token": "t"}, account_id="1"),
    "instagram": sending_account("instagram", secrets={"access_token": "t"}, page_id="178414"),
    "intercom": sending_account("intercom", secrets={"access_token": "t"}, admin_id="7"),
    "mailgun": sending_account("mailgun", secrets={"api_key": "k"}, domain="mg.example.com"),
    "messenger": sending_account("messenger", secrets={"access_token": "t"}, page_id="900100"),
    "postmark": sending_account("postmark", secrets={"server_token": "t"}),
    "slack": sending_account("slack", secrets={"bot_token": "xoxb-t"}),
}
"""The fixtures' channel accounts with what listing needs."""


def asked(provider: str, question: Question = FIRST, since: datetime = SINCE) -> Call:
    """Return the call of a question, which goes to a host of the provider's sender."""
    call = LISTERS[provider].compose(LISTING[provider], since, question)
    assert call.url.removeprefix("https://").partition("/")[0] in SENDERS[provider].hosts
    return call


def answered(provider: str, body: Any, question: Question = FIRST, since: datetime = SINCE) -> Page:
    """Return the page that a question's answer is read as."""
    answer = Answer(200, json.dumps(body).encode())
    return LISTERS[provider].read(answer, LISTING[provider], since, question)


def listed_events(provider: str, page: Page, account: ChannelAccount | None = None) -> list[Any]:
    """Return what the hook's adapter makes of a page."""
    adapter, account = ADAPTERS[provider], account or LISTING[provider]
    parsed = [adapter.parse(request, account, NOW, IDS) for request in page.requests]
    assert not any(one.broken for one in parsed)
    return [event for one in parsed for event in one.events]
