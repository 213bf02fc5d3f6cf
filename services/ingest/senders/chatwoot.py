"""Chatwoot's way out: a message in the conversation, by an agent's access token.

Source: Chatwoot's API reference, "Create new message". One that runs elsewhere than at
app.chatwoot.com is reached by the option `api_url`. Chatwoot recognises no repeated call.
"""

import json
from collections.abc import Mapping
from typing import Any

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.numbers import digits
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.desk_calls import conversation_of, json_call
from services.ingest.senders.provider_calls import form_with_files, told


class ChatwootSender(Sender):
    """Sends as the agent or bot whose access token it has: a text, files, or both."""

    provider = "chatwoot"
    hosts = frozenset({"app.chatwoot.com"})
    secrets = frozenset({"api_access_token"})
    options = frozenset({"account_id"})
    longest = 10_000
    carries = True

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that adds the message."""
        if not reply.text and not reply.files:
            raise NotSendable("Chatwoot takes a text or files.")
        path = f"accounts/{account.options['account_id']}/conversations/{conversation_of(reply)}"
        url = f"https://app.chatwoot.com/api/v1/{path}/messages"
        headers = {"api_access_token": account.secrets["api_access_token"][0].decode()}
        answered = digits(reply.in_reply_to)
        attributes = {} if answered is None else {"in_reply_to": answered}
        if reply.files:
            return _with_files(url, reply, attributes, headers)
        content = {
            "content": reply.text,
            "message_type": "outgoing",
            "private": False,
            "content_attributes": attributes,
        }
        return json_call(url, content, headers)

    def message_id(self, answer: Answer) -> str | None:
        """Return the message's id, as its echo will have it."""
        return told(answer, "id")


def _with_files(
    url: str, reply: Reply, attributes: Mapping[str, Any], headers: Mapping[str, str]
) -> Call:
    """Return the message as a form: what is no text in it is JSON.

    It names nothing private: every word in a form is a text, and "false" would be one, too.
    """
    fields = {"message_type": "outgoing"}
    if reply.text:
        fields["content"] = reply.text
    if attributes:
        fields["content_attributes"] = json.dumps(attributes)
    content_type, body = form_with_files(fields, "attachments[]", *reply.files)
    return Call(url, body, {"content-type": content_type, **headers})
