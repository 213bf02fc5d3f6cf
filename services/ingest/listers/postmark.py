"""Postmark's past inbound mails, told as its webhook would have told them.

Source: Postmark's page "Messages API" (inbound message search and details; both tell the
`MessageID` of the webhook). It keeps no files' contents: a file comes by its name, empty.
"""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.json_fields import string_at
from services.ingest.listers.contract import (
    FIRST,
    Lister,
    Page,
    Question,
    listed_by,
    object_of,
    request_of,
)
from services.ingest.senders.contract import Answer, Call

API = "https://api.postmarkapp.com/messages/inbound"
PAGE = 100  # mails, of each a summary of about 1 KiB
DAY = timedelta(days=1)  # the search takes whole days, in a time zone that is not told
NOT_FOR_US = frozenset({"blocked"})  # a rule of Postmark's kept it from the webhook


class PostmarkLister(Lister):
    """The mails of the inbound stream, each fetched whole."""

    provider = "postmark"
    secrets = frozenset({"server_token"})

    def compose(self, account: ChannelAccount, since: datetime, question: Question) -> Call:
        """Return the call for a page of the search, or for one mail."""
        token = account.secrets["server_token"][0].decode()
        headers = {"x-postmark-server-token": token, "accept": "application/json"}
        if question.asks == "mail":
            (mail,) = question.knows
            return Call(f"{API}/{quote(mail, safe='')}/details", b"", headers, "GET")
        day = f"{since.astimezone(UTC) - DAY:%Y-%m-%d}"
        query = urlencode({"count": PAGE, "offset": _offset(question), "fromdate": day})
        return Call(f"{API}?{query}", b"", headers, "GET")

    def read(
        self, answer: Answer, account: ChannelAccount, since: datetime, question: Question
    ) -> Page:
        """Return which mails there are, or one mail as the webhook's request."""
        if question.asks == "mail":
            return Page((request_of(object_of(answer)),))
        listed = listed_by(answer, "InboundMessages")
        mails = [
            mail
            for each in listed
            if (string_at(each, "Status") or "").lower() not in NOT_FOR_US
            and (mail := string_at(each, "MessageID"))
        ]
        following = (
            Question("page", (str(_offset(question) + PAGE),)) if len(listed) == PAGE else None
        )
        return Page((), tuple(Question("mail", (mail,)) for mail in mails), following)


def _offset(question: Question) -> int:
    return 0 if question == FIRST else int(question.knows[0])
