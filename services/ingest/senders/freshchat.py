"""Freshchat's way out: an agent's message in the conversation.

Source: Freshchat's API reference, "Send message to conversation". An account with an address of its
own is reached by the option `api_url`. Freshchat recognises no repeated call.
"""

from typing import Any

from services.ingest.adapters.request import ChannelAccount
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.desk_calls import conversation_of, json_call
from services.ingest.senders.provider_calls import address_of, told


class FreshchatSender(Sender):
    """Sends as the agent in the option `agent_id`; images by their address."""

    provider = "freshchat"
    hosts = frozenset({"api.freshchat.com"})
    secrets = frozenset({"api_token"})
    options = frozenset({"agent_id"})
    longest = 5_000

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that adds the message."""
        parts: list[dict[str, Any]] = [{"text": {"content": reply.text}}] if reply.text else []
        for file in reply.files:
            if not file.media_type.startswith("image/"):
                raise NotSendable("Freshchat takes texts and images; send a link to the file.")
            parts.append({"image": {"url": address_of(file)}})
        if not parts:
            raise NotSendable("Freshchat takes a text or an image.")
        return json_call(
            f"https://api.freshchat.com/v2/conversations/{conversation_of(reply)}/messages",
            {
                "message_parts": parts,
                "message_type": "normal",
                "actor_type": "agent",
                "actor_id": account.options["agent_id"],
            },
            {"authorization": f"Bearer {account.secrets['api_token'][0].decode()}"},
        )

    def message_id(self, answer: Answer) -> str | None:
        """Return the message's id, as its echo will have it."""
        return told(answer, "id")
