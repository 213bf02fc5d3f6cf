"""Mails that Mailgun stored for us, told as its routes would have told them.

Sources: Mailgun's pages "Events" (`stored`, pages by `paging.next`), "Storing and retrieving
messages" (the stored message has the parameters of the route's request) and "Retrieve a stored
email". Only a route with the action `store()` makes such events.
"""

import json
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from services.ingest.adapters.email import is_for
from services.ingest.adapters.payloads.forms import URLENCODED
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain.json_fields import list_at, string_at, value_at
from services.ingest.listers.contract import BadPage, Lister, Page, Question, object_of, page_with
from services.ingest.senders.contract import Answer, Call
from services.ingest.senders.mailgun import HOSTS
from services.ingest.senders.provider_calls import basic

PAGE = 100  # events of about 2 KiB
TEXTS = ("sender", "body-plain", "body-html")
STRUCTURES = ("message-headers", "attachments", "content-id-map")
"""Parameters that a route's request holds as JSON in a field."""


class MailgunLister(Lister):
    """The events `stored` of the domain, each with its mail."""

    provider = "mailgun"
    secrets = frozenset({"api_key"})
    options = frozenset({"domain"})

    def compose(self, account: ChannelAccount, since: datetime, question: Question) -> Call:
        """Return the call for a page of events, or for one mail."""
        api, domain = _api(account), account.options["domain"]
        headers = {"authorization": basic(b"api", account.secrets["api_key"][0])}
        if question.asks == "mail":
            (key,) = question.knows
            where = f"{api}/domains/{domain}/messages/{quote(key, safe='')}"
            return Call(where, b"", {**headers, "accept": "application/json"}, "GET")
        asked = {"event": "stored", "ascending": "yes", "limit": PAGE}
        query = urlencode({"begin": int(since.timestamp()), **asked})
        (url,) = question.knows or (f"{api}/{domain}/events?{query}",)
        return Call(url, b"", headers, "GET")

    def read(
        self, answer: Answer, account: ChannelAccount, since: datetime, question: Question
    ) -> Page:
        """Return which mails were stored, or one mail as the route's request."""
        if question.asks == "mail":
            return Page(tuple(_requests(object_of(answer), account)))
        found = page_with(answer, "items")
        keys = [string_at(each, "storage", "key") for each in list_at(found, "items")]
        following = string_at(found, "paging", "next") if keys else None  # the last page is empty
        if following and not following.startswith(f"{_api(account)}/{account.options['domain']}/"):
            raise BadPage("paging.next leads elsewhere")
        mails = tuple(Question("mail", (key,)) for key in keys if key)
        return Page((), mails, Question("page", (following,)) if following else None)


def _api(account: ChannelAccount) -> str:
    return f"https://{HOSTS.get(account.options.get('region', 'us'), HOSTS['us'])}/v3"


def _requests(stored: dict[str, Any], account: ChannelAccount) -> list[RawRequest]:
    """Return the request of a mail, if it was to this mailbox: others have routes of their own."""
    recipients = string_at(stored, "recipients") or string_at(stored, "recipient") or ""
    ours = [one.strip() for one in recipients.split(",") if is_for(account, one)]
    if not ours:
        return []
    fields = {"recipient": ",".join(ours)}
    fields |= {name: told for name in TEXTS if (told := string_at(stored, name))}
    fields |= {name: _as_json(told) for name in STRUCTURES if (told := value_at(stored, name))}
    return [RawRequest(urlencode(fields).encode(), (("content-type", URLENCODED.encode()),))]


def _as_json(told: Any) -> str:
    return told if isinstance(told, str) else json.dumps(told)
