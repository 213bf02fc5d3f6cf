"""Postmark's way out: the email API.

Source: Postmark's pages "Email API" and "API error codes". `X-PM-KeepID` keeps our Message-ID, so
that the customer's answer names it. Postmark recognises no repeated call.
"""

import json
from typing import Any

from services.ingest.adapters.mail.hooks import CONVERSATION
from services.ingest.adapters.request import ChannelAccount
from services.ingest.senders.contract import Answer, Call, Reply, Sender
from services.ingest.senders.mail_api import files_of, letter_of, need_text
from services.ingest.senders.provider_calls import told

PROBLEMS = {
    "10": "the server token is wrong",
    "300": "Postmark finds the mail not valid",
    "400": "the sender is no sender signature at Postmark",
    "401": "the sender signature at Postmark is not confirmed",
    "405": "Postmark's account has no credit left",
    "406": "the address bounced or complained before, so Postmark sends it nothing",
    "412": "Postmark's account waits for approval",
}
"""Postmark's error codes that an agent or operator can do something about."""


class PostmarkSender(Sender):
    """Sends from the option `from`, a sender signature at Postmark."""

    provider = "postmark"
    hosts = frozenset({"api.postmarkapp.com"})
    secrets = frozenset({"server_token"})
    options = frozenset({"from"})
    optional = frozenset({"stream"})
    longest = 65_536
    carries = True
    automatic_per_hour = 3

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the mail."""
        need_text(reply)
        letter = letter_of(reply, account)
        headers = [*letter.headers(), ("X-PM-KeepID", "true")]
        mail: dict[str, Any] = {
            "From": str(letter.sender),
            "To": letter.recipient.addr_spec,
            "Subject": letter.subject(),
            "TextBody": reply.text,
            "Headers": [{"Name": name, "Value": value} for name, value in headers],
            "Metadata": {CONVERSATION: reply.conversation_id},
            "MessageStream": account.options.get("stream", "outbound"),
        }
        if reply.html:
            mail["HtmlBody"] = reply.html
        if letter.reply_to:
            mail["ReplyTo"] = letter.reply_to
        if reply.files:
            mail["Attachments"] = files_of(reply, "Name", "ContentType", "Content")
        token = account.secrets["server_token"][0].decode()
        return Call(
            "https://api.postmarkapp.com/email",
            json.dumps(mail).encode(),
            {
                "x-postmark-server-token": token,
                "content-type": "application/json",
                "accept": "application/json",
            },
        )

    def message_id(self, answer: Answer) -> str | None:
        """Return Postmark's own id, which its news name, too."""
        return told(answer, "MessageID")

    def problem(self, answer: Answer) -> str:
        """Return what Postmark's error code means; its sentences may hold addresses."""
        code = told(answer, "ErrorCode") or ""
        return PROBLEMS.get(code) or f"Postmark: HTTP {answer.status}, code {code or 'none'}"
