"""WhatsApp's way out: the Cloud API's messages, free text and approved templates.

Sources: Meta's pages "Send messages", "Send template messages" and "Business-scoped user IDs". Meta
recognises no repeated call, so one whose outcome is unknown is never made again by itself.
"""

import json
import re
from typing import Any

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.files import kind_of_file
from services.ingest.domain.json_fields import string_at
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply
from services.ingest.senders.meta import VERSION, MetaSender
from services.ingest.senders.provider_calls import address_of, bearer, in_json

API = "https://graph.facebook.com"
_UNFIT = re.compile(r"[\n\r\t]| {5}")
CAPTIONED = frozenset({"image", "video", "document"})


class WhatsAppSender(MetaSender):
    """Writes as the number in the option `phone_number_id`: a text, a template, or one file."""

    provider = "whatsapp"
    hosts = frozenset({"graph.facebook.com"})
    options = frozenset({"phone_number_id"})
    allowed = ("template",)
    longest = 4_096

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply, as an answer if it answers a message."""
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            **_recipient(reply),
            **_content(reply),
        }
        if reply.in_reply_to:
            body["context"] = {"message_id": reply.in_reply_to}
        url = f"{API}/{VERSION}/{account.options['phone_number_id']}/messages"
        return Call(url, in_json(body), bearer(account, "access_token"))

    def message_id(self, answer: Answer) -> str | None:
        """Return `messages[0].id`."""
        try:
            messages = json.loads(answer.body)["messages"]
        except (ValueError, KeyError, TypeError):
            return None
        return string_at(messages[0], "id") if isinstance(messages, list) and messages else None


def _content(reply: Reply) -> dict[str, Any]:
    if reply.template:
        if reply.files:
            raise NotSendable("A template goes without files: send them in a reply of their own.")
        return {"type": "template", "template": _template(reply)}
    if not reply.files:
        return {"type": "text", "text": {"body": reply.text}}
    file, *more = reply.files
    kind = kind_of_file(file.media_type)
    if more or (reply.text and kind not in CAPTIONED):
        raise NotSendable("WhatsApp sends one file at a time, and a sound without a text.")
    caption = {"caption": reply.text} if reply.text else {}
    name = {"filename": file.name} if kind == "document" and file.name else {}
    return {"type": kind, kind: {"link": address_of(file), **caption, **name}}


def _template(reply: Reply) -> dict[str, Any]:
    language = {"code": reply.language or "en"}
    template = {"name": reply.template, "language": language}
    if not reply.template_parameters:
        return template
    if any(_UNFIT.search(one) for one in reply.template_parameters):
        raise NotSendable("A template's gaps take no line break, tab or more than four spaces.")
    parameters = [{"type": "text", "text": one} for one in reply.template_parameters]
    return {**template, "components": [{"type": "body", "parameters": parameters}]}


def _recipient(reply: Reply) -> dict[str, str]:
    """Return the number where it is known (Meta asks for that), else the business-scoped id."""
    points = [point.partition(":")[::2] for point in reply.contact_points]
    numbers = [value.removeprefix("+") for scheme, value in points if scheme == "tel"]
    scoped = [value.rpartition("/")[2] for scheme, value in points if scheme == "whatsapp"]
    to = reply.reply_to or next(iter([*numbers, *scoped]), None)
    if to is None:
        raise NotSendable("Neither the customer's number nor WhatsApp's own id is known.")
    return {"to": to} if to.isdigit() else {"recipient": to}
