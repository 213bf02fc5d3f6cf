"""Zendesk's way out: a public comment on the ticket, by an API token.

Source: Zendesk's API reference, "Update Ticket" and "Ticket comments". The company's own address
(`https://<subdomain>.zendesk.com`) is the option `api_url`. Messages of Zendesk's messaging need
its conversations API, which this does not speak. Zendesk recognises no repeated update.
"""

from services.ingest.adapters.request import ChannelAccount
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.desk_calls import conversation_of, json_call, last_id
from services.ingest.senders.provider_calls import basic, told


class ZendeskSender(Sender):
    """Comments as the user in the option `api_user`; text only."""

    provider = "zendesk"
    hosts = frozenset({"support.zendesk.com"})
    secrets = frozenset({"api_token"})
    options = frozenset({"api_user", "api_url"})
    longest = 60_000

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that adds the comment."""
        if reply.files or not reply.text:
            raise NotSendable("Zendesk takes a text; send files from Zendesk itself.")
        name = f"{account.options['api_user']}/token".encode()
        return json_call(
            f"https://support.zendesk.com/api/v2/tickets/{conversation_of(reply)}.json",
            {"ticket": {"comment": {"body": reply.text, "public": True}}},
            {"authorization": basic(name, account.secrets["api_token"][0])},
            put=True,
        )

    def message_id(self, answer: Answer) -> str | None:
        """Return the id of the comment, which is that of its event in the ticket's audit."""
        return last_id(answer, "audit", "events", type="Comment")

    def problem(self, answer: Answer) -> str:
        """Return Zendesk's word for what is wrong."""
        named = told(answer, "error")
        return f"Zendesk: {named[:100]}" if named else super().problem(answer)
