"""Chatwoot's way out: a message in the conversation, by an agent's access token.

Source: Chatwoot's API reference, "Create new message". One that runs elsewhere than at
app.chatwoot.com is reached by the option `api_url`. Chatwoot recognises no repeated call.
"""

from services.ingest.adapters.request import ChannelAccount
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.desk_calls import conversation_of, json_call
from services.ingest.senders.provider_calls import told


class ChatwootSender(Sender):
    """Sends as the agent or bot whose access token it has; text only."""

    provider = "chatwoot"
    hosts = frozenset({"app.chatwoot.com"})
    secrets = frozenset({"api_access_token"})
    options = frozenset({"account_id"})
    longest = 10_000

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that adds the message."""
        if reply.files or not reply.text:
            raise NotSendable("Chatwoot takes a text; send files from Chatwoot itself.")
        path = f"accounts/{account.options['account_id']}/conversations/{conversation_of(reply)}"
        answered = reply.in_reply_to or ""
        attributes = {"in_reply_to": int(answered)} if _is_id(answered) else {}
        return json_call(
            f"https://app.chatwoot.com/api/v1/{path}/messages",
            {
                "content": reply.text,
                "message_type": "outgoing",
                "private": False,
                "content_attributes": attributes,
            },
            {"api_access_token": account.secrets["api_access_token"][0].decode()},
        )

    def message_id(self, answer: Answer) -> str | None:
        """Return the message's id, as its echo will have it."""
        return told(answer, "id")


def _is_id(written: str) -> bool:
    return written.isascii() and written.isdigit() and len(written) < 19
