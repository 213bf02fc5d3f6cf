"""X's way out: direct messages.

Sources: X's pages "Create DM message by participant ID" and "Upload media" (API v2). X recognises
no repeated call; what is uploaded and not sent within a day is gone.
"""

from collections.abc import Sequence
from typing import Any

from services.ingest.adapters.request import ChannelAccount
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.provider_calls import (
    bearer,
    form_with_files,
    in_json,
    scoped_id,
    told,
)

API = "https://api.x.com"
PICTURES = frozenset({"image/bmp", "image/jpeg", "image/png", "image/tiff", "image/webp"})


class XSender(Sender):
    """Writes as the account whose user token is the secret.

    It is one of OAuth 2.0 for `dm.write`, and for pictures `media.write`, too.
    """

    provider = "x"
    hosts = frozenset({"api.x.com"})
    secrets = frozenset({"access_token"})
    longest = 10_000
    carries = True

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply."""
        return self.compose_prepared(reply, account, ())

    def prepare(
        self, reply: Reply, account: ChannelAccount, answers: Sequence[Answer]
    ) -> Call | None:
        """Return the call that uploads the picture."""
        if len(answers) == len(reply.files):
            return None
        (picture,) = reply.files
        fields = {"media_category": "dm_image", "media_type": picture.media_type}
        content_type, body = form_with_files(fields, "media", picture)
        headers = {**bearer(account, "access_token"), "content-type": content_type}
        return Call(f"{API}/2/media/upload", body, headers)

    def compose_prepared(
        self, reply: Reply, account: ChannelAccount, answers: Sequence[Answer]
    ) -> Call:
        """Return the call that sends the reply, with the picture that was uploaded."""
        place, _, customer = scoped_id(reply, "x").rpartition(":")
        if place == "post":
            raise NotSendable("A public post is answered in X itself.")
        if not (customer.isascii() and customer.isdigit()):
            raise NotSendable("The customer's id at X is not known.")
        if len(reply.files) > 1 or not {file.media_type for file in reply.files} <= PICTURES:
            raise NotSendable("X takes one picture with a message: for other files put a link.")
        body: dict[str, Any] = {"text": reply.text} if reply.text else {}
        if answers:
            body["attachments"] = [{"media_id": _media_id(answer)} for answer in answers]
        url = f"{API}/2/dm_conversations/with/{customer}/messages"
        return Call(url, in_json(body), bearer(account, "access_token"))

    def message_id(self, answer: Answer) -> str | None:
        """Return the event's id, as its echo will name it."""
        return told(answer, "data", "dm_event_id")

    def problem(self, answer: Answer) -> str:
        """Return X's title of the problem (`Forbidden`)."""
        return (told(answer, "title") or super().problem(answer))[:200]


def _media_id(answer: Answer) -> str:
    found = told(answer, "data", "id")
    if found is None:
        raise NotSendable("X's answer names no media id for the picture")
    return found
