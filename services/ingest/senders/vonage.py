"""Vonage's way out: the Messages API.

Source: Vonage's Messages API reference (v1, "Send a message"), with basic authentication by the
account's key and secret. Vonage recognises no repeated call.
"""

import json

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.files import kind_of_file
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.provider_calls import address_of, basic, number_of, told

_TYPES = {"image": "image", "audio": "audio", "video": "video", "document": "file"}
CAPTIONED = {
    "mms": frozenset({"image", "audio", "video"}),
    "viber_service": frozenset({"image", "video"}),
    "whatsapp": frozenset({"image", "video", "file"}),
}
"""Which files take a text with them; on every other carrier none does."""
TEXT_ONLY = frozenset({"sms"})


class VonageSender(Sender):
    """Sends over the carrier that the customer wrote on, as the number in the option `from`."""

    provider = "vonage"
    hosts = frozenset({"api.nexmo.com"})
    secrets = frozenset({"api_secret"})
    options = frozenset({"api_key", "from"})
    longest = 1_000

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply; our id of it comes back as `client_ref`."""
        carrier, _, to = (reply.reply_to or f"sms:{number_of(reply)}").partition(":")
        message = {
            "channel": carrier,
            "to": to.lstrip("+"),
            "from": account.options["from"].lstrip("+"),
            "client_ref": reply.reply_id[:100],
            **_content(reply, carrier),
        }
        headers = {
            "authorization": basic(
                account.options["api_key"].encode(), account.secrets["api_secret"][0]
            ),
            "content-type": "application/json",
        }
        return Call("https://api.nexmo.com/v1/messages", json.dumps(message).encode(), headers)

    def message_id(self, answer: Answer) -> str | None:
        """Return the message's UUID."""
        return told(answer, "message_uuid")

    def problem(self, answer: Answer) -> str:
        """Return the title of Vonage's problem document."""
        title = told(answer, "title")
        return f"Vonage: {title[:100]}" if title else super().problem(answer)


def _content(reply: Reply, carrier: str) -> dict[str, object]:
    if not reply.files and reply.text:
        return {"message_type": "text", "text": reply.text}
    if len(reply.files) != 1 or carrier in TEXT_ONLY:
        raise NotSendable("Vonage sends a text, or one file where it is no SMS.")
    (file,) = reply.files
    kind = _TYPES[kind_of_file(file.media_type)]
    if reply.text and kind not in CAPTIONED.get(carrier, ()):
        raise NotSendable("Here no text goes with this file: send them one after the other.")
    caption = {"caption": reply.text} if reply.text else {}
    return {"message_type": kind, kind: {"url": address_of(file), **caption}}
