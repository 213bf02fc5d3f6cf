"""Twilio's past messages, told as its webhooks would have told them.

Source: Twilio's page "Messages resource" (read multiple messages: `DateSent>=` takes a day, pages
by `next_page_uri`). The list names no media, only where their list is.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from services.ingest.adapters.building import from_http_date
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.twilio import FORM
from services.ingest.domain.json_fields import list_at, string_at
from services.ingest.listers.contract import BadPage, Lister, Page, Question, page_with
from services.ingest.senders.contract import Answer, Call
from services.ingest.senders.provider_calls import basic

API = "https://api.twilio.com"
PAGE = 100  # messages of about 1 KiB
NAMES = {
    "MessageSid": "sid",
    "AccountSid": "account_sid",
    "From": "from",
    "To": "to",
    "NumMedia": "num_media",
    "MessagingServiceSid": "messaging_service_sid",
    "ErrorCode": "error_code",
    "ErrorMessage": "error_message",
}


class TwilioLister(Lister):
    """The Messages resource: customers' messages, and how far ours got."""

    provider = "twilio"
    secrets = frozenset({"auth_token"})
    options = frozenset({"account_sid"})

    def compose(self, account: ChannelAccount, since: datetime, question: Question) -> Call:
        """Return the call for the first page, or for the one Twilio named."""
        sid = account.options["account_sid"]
        query = urlencode({"DateSent>": f"{since.astimezone(UTC):%Y-%m-%d}", "PageSize": PAGE})
        (path,) = question.knows or (f"/2010-04-01/Accounts/{sid}/Messages.json?{query}",)
        credentials = basic(sid.encode(), account.secrets["auth_token"][0])
        return Call(API + path, b"", {"authorization": credentials}, method="GET")

    def read(
        self, answer: Answer, account: ChannelAccount, since: datetime, question: Question
    ) -> Page:
        """Return the messages of a page that were sent since."""
        found = page_with(answer, "messages")
        own = f"/2010-04-01/Accounts/{account.options['account_sid']}/Messages.json"
        following = string_at(found, "next_page_uri")
        if following is not None and not following.startswith(f"{own}?"):
            raise BadPage("next_page_uri leads elsewhere")
        requests = tuple(
            _request(message)
            for message in list_at(found, "messages")
            if (_moment(message) or since) >= since
        )
        return Page(requests, following=Question("page", (following,)) if following else None)


def _moment(message: Any) -> datetime | None:
    return from_http_date(string_at(message, "date_sent") or string_at(message, "date_created"))


def _request(message: Any) -> RawRequest:
    """Return the form of the webhook, with the time that a webhook does not tell."""
    fields = {new: found for new, old in NAMES.items() if (found := string_at(message, old))}
    status = string_at(message, "status") or ""
    if string_at(message, "direction") == "inbound":
        fields |= {"SmsStatus": "received", "Body": string_at(message, "body") or ""}
        media = string_at(message, "subresource_uris", "media")
        if media and fields.get("NumMedia", "0") != "0":
            fields |= {"MediaUrl0": API + media, "MediaContentType0": "application/json"}
        told = string_at(message, "date_sent") or string_at(message, "date_created")
    else:
        fields |= {"MessageStatus": status}
        told = string_at(message, "date_updated")
    if told:
        fields["DateSent"] = told
    return RawRequest(urlencode(fields).encode(), (("content-type", FORM.encode()),))
