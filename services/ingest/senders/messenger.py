"""Messenger's way out: the Send API.

Source: Meta's page "Send API". Meta recognises no repeated call, so one whose outcome is unknown is
never made again by itself.
"""

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.files import kind_of_file
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply
from services.ingest.senders.meta import VERSION, MetaSender
from services.ingest.senders.provider_calls import address_of, bearer, in_json, scoped_id, told

_TYPES = {"image": "image", "audio": "audio", "video": "video", "document": "file"}


class MessengerSender(MetaSender):
    """Writes as the page in the option `page_id`: a text, or one file by its address."""

    provider = "messenger"
    api = "https://graph.facebook.com"
    hosts = frozenset({"graph.facebook.com"})
    options = frozenset({"page_id"})
    longest = 2_000

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply."""
        body = {
            "recipient": {"id": scoped_id(reply, self.provider)},
            "messaging_type": "RESPONSE",
            "message": _message(reply),
        }
        url = f"{self.api}/{VERSION}/{account.options['page_id']}/messages"
        return Call(url, in_json(body), bearer(account, "access_token"))

    def message_id(self, answer: Answer) -> str | None:
        """Return the message's id, as its echo and receipts will name it."""
        return told(answer, "message_id")


def _message(reply: Reply) -> dict[str, object]:
    if not reply.files:
        return {"text": reply.text}
    if reply.text or len(reply.files) > 1:
        raise NotSendable("Meta sends a text, or one file: send them one after the other.")
    (file,) = reply.files
    payload = {"url": address_of(file)}
    return {"attachment": {"type": _TYPES[kind_of_file(file.media_type)], "payload": payload}}
