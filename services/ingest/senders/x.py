"""X's way out: direct messages.

Source: X's page "Create DM message by participant ID" (API v2). X recognises no repeated call.
"""

from services.ingest.adapters.request import ChannelAccount
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.provider_calls import bearer, in_json, no_files, scoped_id, told

API = "https://api.x.com"


class XSender(Sender):
    """Writes as the account whose user token (OAuth 2.0, `dm.write`) is the secret."""

    provider = "x"
    hosts = frozenset({"api.x.com"})
    secrets = frozenset({"access_token"})
    longest = 10_000

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply."""
        no_files(reply)
        place, _, customer = scoped_id(reply, "x").rpartition(":")
        if place == "post":
            raise NotSendable("A public post is answered in X itself.")
        if not customer.isdigit():
            raise NotSendable("The customer's id at X is not known.")
        url = f"{API}/2/dm_conversations/with/{customer}/messages"
        return Call(url, in_json({"text": reply.text}), bearer(account, "access_token"))

    def message_id(self, answer: Answer) -> str | None:
        """Return the event's id, as its echo will name it."""
        return told(answer, "data", "dm_event_id")

    def problem(self, answer: Answer) -> str:
        """Return X's title of the problem (`Forbidden`)."""
        return (told(answer, "title") or super().problem(answer))[:200]
