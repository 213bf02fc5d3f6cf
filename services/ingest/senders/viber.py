"""Viber's way out: send_message.

Source: Viber's page "Send a message" (bots API). Viber answers 200 whatever happened, with a
`status` of its own, and recognises no repeated call.
"""

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.outcomes import Later, Outcome, Refused
from services.ingest.senders.contract import Answer, Call, Reply, Sender
from services.ingest.senders.provider_calls import in_json, no_files, scoped_id, told

API = "https://chatapi.viber.com"
BUSY = "12"


class ViberSender(Sender):
    """Writes as the bot, under the name in the option `sender_name`."""

    provider = "viber"
    hosts = frozenset({"chatapi.viber.com"})
    options = frozenset({"sender_name"})
    longest = 7_000

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply."""
        no_files(reply)
        body = {
            "receiver": scoped_id(reply, "viber"),
            "type": "text",
            "text": reply.text,
            "sender": {"name": account.options["sender_name"][:28]},
            "min_api_version": 1,
            "tracking_data": reply.reply_id,
        }
        headers = {
            "x-viber-auth-token": account.secrets["auth_token"][0].decode(),
            "content-type": "application/json",
        }
        return Call(f"{API}/pa/send_message", in_json(body), headers)

    def read(self, answer: Answer) -> Outcome:
        """Return what Viber's own status means; without one, what the HTTP status does."""
        status = told(answer, "status")
        if answer.status != 200 or status in (None, "0"):
            return super().read(answer)
        if status == BUSY:
            return Later(self.problem(answer))
        return Refused(self.problem(answer))

    def message_id(self, answer: Answer) -> str | None:
        """Return the message's token, as its receipts will name it."""
        return told(answer, "message_token")

    def problem(self, answer: Answer) -> str:
        """Return Viber's status: its pages explain each."""
        status = told(answer, "status")
        return f"Viber status {status}" if status else super().problem(answer)
