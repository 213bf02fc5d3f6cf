"""SendGrid's way out: the mail send API.

Source: SendGrid's API reference, "Mail Send" (v3). SendGrid names the message in a header of its
answer, and recognises no repeated call.
"""

import json
from email.headerregistry import Address
from typing import Any

from services.ingest.adapters.mail.hooks import CONVERSATION
from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.json_fields import list_at, string_at
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.mail_api import files_of, letter_of, need_text

HOSTS = {"global": "api.sendgrid.com", "eu": "api.eu.sendgrid.com"}


class SendGridSender(Sender):
    """Sends from the option `from`, a verified sender at SendGrid."""

    provider = "sendgrid"
    hosts = frozenset(HOSTS.values())
    secrets = frozenset({"api_key"})
    options = frozenset({"from"})
    optional = frozenset({"region"})
    longest = 65_536
    carries = True
    automatic_per_hour = 3

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the mail."""
        need_text(reply)
        letter = letter_of(reply, account)
        host = HOSTS.get(account.options.get("region", "global"))
        if host is None:
            raise NotSendable("the option region is none of SendGrid's")
        texts = (("text/plain", reply.text), ("text/html", reply.html))
        mail: dict[str, Any] = {
            "personalizations": [{"to": [{"email": letter.recipient.addr_spec}]}],
            "from": _person(letter.sender),
            "subject": letter.subject(),
            "content": [{"type": kind, "value": text} for kind, text in texts if text],
            "headers": dict(letter.headers()),
            "custom_args": {CONVERSATION: reply.conversation_id},
        }
        if letter.reply_to:
            mail["reply_to"] = {"email": letter.reply_to}
        if reply.files:
            mail["attachments"] = files_of(reply, "filename", "type", "content")
        key = account.secrets["api_key"][0].decode()
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        return Call(f"https://{host}/v3/mail/send", json.dumps(mail).encode(), headers)

    def message_id(self, answer: Answer) -> str | None:
        """Return `X-Message-Id`, with which the `sg_message_id` of SendGrid's news begins."""
        return answer.headers.get("x-message-id") or None

    def problem(self, answer: Answer) -> str:
        """Return which field SendGrid objects to; its sentences may hold addresses."""
        try:
            errors = list_at(parse_json(answer.body), "errors")
        except Malformed:
            errors = []
        field = string_at(errors[0], "field") if errors else None
        return f"SendGrid: HTTP {answer.status}" + (f", {field[:100]}" if field else "")


def _person(address: Address) -> dict[str, str]:
    named = {"name": address.display_name} if address.display_name else {}
    return {"email": address.addr_spec, **named}
