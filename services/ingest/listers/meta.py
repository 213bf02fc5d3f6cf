"""What the lists of Meta's APIs have in common: conversations, then the messages of each.

Sources: Meta's pages "Conversations API for Messenger Platform" and "Conversations API" of the
Instagram API, and the Graph reference, "Message". A message's id is the webhook's `mid`. Of each
conversation the 20 newest messages can be had, and only customers' are listed.
"""

from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from services.ingest.adapters.building import from_iso
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain.json_fields import list_at, string_at
from services.ingest.listers.contract import (
    Lister,
    Page,
    Question,
    object_of,
    page_with,
    request_of,
)
from services.ingest.senders.contract import Answer, Call
from services.ingest.senders.meta import VERSION
from services.ingest.senders.provider_calls import bearer

PAGE = 50  # conversations, of each an id and a time
FILE = "mime_type,name,image_data,video_data,file_url"
FIELDS = f"messages.limit(20){{id,created_time,from,to,message,attachments{{{FILE}}}}}"
MAJORS = frozenset({"image", "audio", "video"})
ADDRESSES = (("image_data", "url"), ("video_data", "url"), ("file_url",))


class MetaLister(Lister):
    """The conversations of the account in the option `page_id` that changed since."""

    secrets = frozenset({"access_token"})
    options = frozenset({"page_id"})
    api: ClassVar[str]
    platform: ClassVar[str]
    hook: ClassVar[str]

    def compose(self, account: ChannelAccount, since: datetime, question: Question) -> Call:
        """Return the call for a page of conversations, or for the messages of one."""
        path = f"{account.options['page_id']}/conversations"
        query: dict[str, Any] = {"platform": self.platform, "fields": "updated_time", "limit": PAGE}
        if question.asks == "conversation":
            path, query = quote(question.knows[0], safe=""), {"fields": FIELDS}
        elif question.knows:
            query["after"] = question.knows[0]
        headers = {"authorization": bearer(account, "access_token")["authorization"]}
        return Call(f"{self.api}/{VERSION}/{path}?{urlencode(query)}", b"", headers, "GET")

    def read(
        self, answer: Answer, account: ChannelAccount, since: datetime, question: Question
    ) -> Page:
        """Return which conversations there are, or customers' messages as the hook's requests."""
        if question.asks == "conversation":
            page = account.options["page_id"]
            messages = list_at(object_of(answer), "messages", "data")
            late = [one for one in messages if _is_since(one, "created_time", since)]
            theirs = [one for one in late if _is_to(one, page)]
            return Page(tuple(self._request(one, page) for one in theirs))
        found = page_with(answer, "data")
        active = [one for one in list_at(found, "data") if _is_since(one, "updated_time", since)]
        after = string_at(found, "paging", "cursors", "after")
        more = after if active and string_at(found, "paging", "next") else None
        ids = [string_at(one, "id") for one in active]
        items = tuple(Question("conversation", (one,)) for one in ids if one)
        return Page((), items, Question("page", (more,)) if more else None)

    def _request(self, message: Any, page: str) -> RawRequest:
        at = from_iso(string_at(message, "created_time"))
        told: dict[str, Any] = {"mid": string_at(message, "id")}
        if text := string_at(message, "message"):
            told["text"] = text
        if files := [_file(one) for one in list_at(message, "attachments", "data")]:
            told["attachments"] = files
        item = {
            "sender": {"id": string_at(message, "from", "id")},
            "recipient": {"id": page},
            "timestamp": int(at.timestamp() * 1_000) if at else None,
            "message": told,
        }
        return request_of({"object": self.hook, "entry": [{"id": page, "messaging": [item]}]})


def _is_since(told: Any, name: str, since: datetime) -> bool:
    return (from_iso(string_at(told, name)) or since) >= since


def _is_to(message: Any, page: str) -> bool:
    return any(string_at(one, "id") == page for one in list_at(message, "to", "data"))


def _file(told: Any) -> dict[str, Any]:
    major = (string_at(told, "mime_type") or "").partition("/")[0]
    addresses = (string_at(told, *path) for path in ADDRESSES)
    payload = {"url": next(filter(None, addresses), None)}
    return {"type": major if major in MAJORS else "file", "payload": payload}
