"""Vonage's past messages by its Reports API, told as its webhooks would have told them.

Source: Vonage's pages "Reports API" (`/v2/reports/records`, product MESSAGES) and "How to handle
pagination" (`_links.next.href`). Only customers' messages are listed, and of them the text.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from services.ingest.adapters.building import from_iso
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain.json_fields import list_at, string_at
from services.ingest.listers.contract import Lister, Page, Question, page_with, request_of
from services.ingest.senders.contract import Answer, Call
from services.ingest.senders.provider_calls import basic

URL = "https://api.nexmo.com/v2/reports/records"


class VonageLister(Lister):
    """The records of inbound messages, with their text."""

    provider = "vonage"
    secrets = frozenset({"api_secret"})
    options = frozenset({"api_key"})

    def compose(self, account: ChannelAccount, since: datetime, question: Question) -> Call:
        """Return the call for the first page, or for the query Vonage named."""
        key = account.options["api_key"]
        query = {
            "account_id": key,
            "product": "MESSAGES",
            "direction": "inbound",
            "include_message": "true",
            "date_start": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        credentials = basic(key.encode(), account.secrets["api_secret"][0])
        headers = {"authorization": credentials, "accept": "application/json"}
        (asked,) = question.knows or (urlencode(query),)
        return Call(f"{URL}?{asked}", b"", headers, method="GET")

    def read(
        self, answer: Answer, account: ChannelAccount, since: datetime, question: Question
    ) -> Page:
        """Return the messages of a page that were received since."""
        found = page_with(answer, "records")
        following = urlsplit(string_at(found, "_links", "next", "href") or "").query
        records = [
            record
            for record in list_at(found, "records")
            if (from_iso(string_at(record, "date_received")) or since) >= since
        ]
        requests = tuple(_request(record) for record in records)
        return Page(requests, following=Question("page", (following,)) if following else None)


def _request(record: Any) -> RawRequest:
    message = {
        "message_uuid": string_at(record, "message_id") or string_at(record, "id"),
        "channel": (string_at(record, "provider") or "sms").lower(),
        "message_type": "text",
        "from": string_at(record, "from"),
        "to": string_at(record, "to"),
        "text": string_at(record, "message_body"),
        "timestamp": string_at(record, "date_received"),
    }
    return request_of({name: value for name, value in message.items() if value})
