"""Intercom's way out: a teammate's comment in the conversation.

Source: Intercom's API reference, "Reply to a conversation". Regions other than the US are reached
by the option `api_url`. Intercom recognises no repeated call.
"""

from typing import Any

from services.ingest.adapters.request import ChannelAccount
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.desk_calls import conversation_of, json_call, last_id
from services.ingest.senders.provider_calls import address_of

_FILES = 10  # as Intercom allows


class IntercomSender(Sender):
    """Sends as the teammate in the option `admin_id`; images by their address, beside a text."""

    provider = "intercom"
    hosts = frozenset({"api.intercom.io"})
    secrets = frozenset({"access_token"})
    options = frozenset({"admin_id"})
    longest = 10_000

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that adds the comment."""
        if len(reply.files) > _FILES or not reply.text:
            raise NotSendable(f"Intercom takes a text, or a text with up to {_FILES} images.")
        comment: dict[str, Any] = {
            "message_type": "comment",
            "type": "admin",
            "admin_id": account.options["admin_id"],
            "body": reply.text,
        }
        if reply.files:
            comment["attachment_urls"] = [address_of(file) for file in reply.files]
        return json_call(
            f"https://api.intercom.io/conversations/{conversation_of(reply)}/reply",
            comment,
            {
                "authorization": f"Bearer {account.secrets['access_token'][0].decode()}",
                "accept": "application/json",
            },
        )

    def message_id(self, answer: Answer) -> str | None:
        """Return the id of the newest comment of the conversation that comes back."""
        path = ("conversation_parts", "conversation_parts")
        return last_id(answer, *path, part_type="comment")
