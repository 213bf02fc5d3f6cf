"""LINE's way out: push messages.

Sources: LINE's pages "Send push message" and "Retry a failed API request". The reply's id becomes
the retry key, so a call may be made again: LINE sends it once and answers 409 with the first ids.
"""

import json
from uuid import NAMESPACE_URL, uuid5

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.json_fields import list_at, string_at
from services.ingest.domain.outcomes import Outcome, Refused, Sent, Unclear
from services.ingest.senders.contract import Answer, Call, File, NotSendable, Reply, Sender
from services.ingest.senders.provider_calls import address_of, bearer, in_json, scoped_id, told

API = "https://api.line.me"
FILES = "https://api-data.line.me"
_MESSAGES = 5  # of one push


class LineSender(Sender):
    """Writes as the official account: a text, images, or both."""

    provider = "line"
    hosts = frozenset({"api.line.me", "api-data.line.me"})
    secrets = frozenset({"channel_access_token"})
    repeatable = True
    longest = 5_000

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply."""
        texts = [{"type": "text", "text": reply.text}] if reply.text else []
        messages = [*texts, *map(_image, reply.files)]
        if not 0 < len(messages) <= _MESSAGES:
            raise NotSendable(f"LINE sends up to {_MESSAGES} messages at once, the text is one.")
        headers = bearer(account, "channel_access_token")
        headers["x-line-retry-key"] = str(uuid5(NAMESPACE_URL, reply.reply_id))
        body = {"to": scoped_id(reply, "line"), "messages": messages}
        return Call(f"{API}/v2/bot/message/push", in_json(body), headers)

    def read(self, answer: Answer) -> Outcome:
        """Return what an answer means; 409 says that an earlier try was taken."""
        if answer.status == 409:
            found = self.message_id(answer)
            return Sent(found) if found else Unclear("an earlier try was taken, without its id")
        if answer.status == 429 and "monthly limit" in (told(answer, "message") or ""):
            return Refused("LINE's monthly limit of messages is reached.")
        return super().read(answer)

    def message_id(self, answer: Answer) -> str | None:
        """Return the first message's id."""
        try:
            sent = list_at(json.loads(answer.body), "sentMessages")
        except ValueError:
            return None
        return string_at(sent[0], "id") if sent else None

    def problem(self, answer: Answer) -> str:
        """Return LINE's own words."""
        return (told(answer, "message") or super().problem(answer))[:200]

    def download(self, reference: str, account: ChannelAccount) -> Call | None:
        """Return the request for a message's content, by the message's id."""
        if not (reference.isascii() and reference.isdigit()):
            return super().download(reference, account)
        headers = {"authorization": bearer(account, "channel_access_token")["authorization"]}
        return Call(f"{FILES}/v2/bot/message/{reference}/content", b"", headers, "GET")


def _image(file: File) -> dict[str, str]:
    if not file.media_type.startswith("image/"):
        raise NotSendable("LINE sends images by their address; put a link to others in the text.")
    address = address_of(file)
    return {"type": "image", "originalContentUrl": address, "previewImageUrl": address}
