"""WhatsApp Cloud API: text and approved templates to a customer's number.

Source: Meta's pages "Send messages" and "Send template messages" (Graph API, `/messages`). Meta
knows no idempotency key, so a call whose outcome is unknown is not made again.
"""

import json
from typing import Any

from services.ingest.adapters.contract import ChannelAccount
from services.ingest.domain.json_fields import string_at
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender

VERSION = "v23.0"


class WhatsAppSender(Sender):
    """One telephone number's way out."""

    provider = "whatsapp"
    hosts = frozenset({"graph.facebook.com"})
    secrets = frozenset({"access_token"})
    options = frozenset({"phone_number_id"})
    window = True
    allowed = ("template",)
    longest = 4_096

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call; raise `NotSendable` without a number, or for files."""
        if reply.files:
            raise NotSendable("WhatsApp takes no files here yet")
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": _recipient(reply),
            **_content(reply),
        }
        if reply.in_reply_to:
            body["context"] = {"message_id": reply.in_reply_to}
        return Call(
            url=f"https://graph.facebook.com/{VERSION}/{account.options['phone_number_id']}/messages",
            body=json.dumps(body, ensure_ascii=False).encode(),
            headers={
                "authorization": f"Bearer {account.secrets['access_token'][0].decode()}",
                "content-type": "application/json",
            },
        )

    def message_id(self, answer: Answer) -> str | None:
        """Return `messages[0].id`."""
        try:
            messages = json.loads(answer.body)["messages"]
        except (ValueError, KeyError, TypeError):
            return None
        return string_at(messages[0], "id") if isinstance(messages, list) and messages else None

    def problem(self, answer: Answer) -> str:
        """Return Meta's error code."""
        try:
            code = string_at(json.loads(answer.body), "error", "code")
        except ValueError:
            code = None
        return f"HTTP {answer.status}, code {code}" if code else f"HTTP {answer.status}"


def _content(reply: Reply) -> dict[str, Any]:
    if reply.template:
        language = {"code": reply.language or "en"}
        return {"type": "template", "template": {"name": reply.template, "language": language}}
    return {"type": "text", "text": {"body": reply.text}}


def _recipient(reply: Reply) -> str:
    if reply.reply_to:
        return reply.reply_to
    for point in reply.contact_points:
        scheme, _, value = point.partition(":")
        if scheme == "tel":
            return value.removeprefix("+")
    raise NotSendable("the customer's number is not known")
