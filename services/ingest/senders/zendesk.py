"""Zendesk's way out: a public comment on the ticket, by an API token.

Source: Zendesk's API reference, "Update Ticket", "Ticket comments" and "Ticket attachments"; a file
is uploaded first, and gone after an hour if no comment names it. The company's own address
(`https://<subdomain>.zendesk.com`) is the option `api_url`. Messages of Zendesk's messaging need
its conversations API, which this does not speak. Zendesk recognises no repeated update.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from services.ingest.adapters.request import ChannelAccount
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.desk_calls import conversation_of, json_call, last_id
from services.ingest.senders.provider_calls import basic, name_of, told

API = "https://support.zendesk.com/api/v2"


class ZendeskSender(Sender):
    """Comments as the user in the option `api_user`: a text, with files or without."""

    provider = "zendesk"
    hosts = frozenset({"support.zendesk.com"})
    secrets = frozenset({"api_token"})
    options = frozenset({"api_user", "api_url"})
    longest = 60_000
    carries = True

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that adds the comment."""
        return self.compose_prepared(reply, account, ())

    def prepare(
        self, reply: Reply, account: ChannelAccount, answers: Sequence[Answer]
    ) -> Call | None:
        """Return the call that uploads the next file."""
        if len(answers) == len(reply.files):
            return None
        file = reply.files[len(answers)]
        headers = {"content-type": file.media_type, **_proof(account)}
        name = quote(name_of(file), safe="")
        return Call(f"{API}/uploads.json?filename={name}", file.content or b"", headers)

    def compose_prepared(
        self, reply: Reply, account: ChannelAccount, answers: Sequence[Answer]
    ) -> Call:
        """Return the call that adds the comment, with what was uploaded."""
        if not reply.text:
            raise NotSendable("Zendesk takes a text, with or without files.")
        comment: dict[str, Any] = {"body": reply.text, "public": True}
        if answers:
            comment["uploads"] = [_token(answer) for answer in answers]
        url = f"{API}/tickets/{conversation_of(reply)}.json"
        return json_call(url, {"ticket": {"comment": comment}}, _proof(account), put=True)

    def message_id(self, answer: Answer) -> str | None:
        """Return the id of the comment, which is that of its event in the ticket's audit."""
        return last_id(answer, "audit", "events", type="Comment")

    def problem(self, answer: Answer) -> str:
        """Return Zendesk's word for what is wrong."""
        named = told(answer, "error")
        return f"Zendesk: {named[:100]}" if named else super().problem(answer)


def _proof(account: ChannelAccount) -> dict[str, str]:
    name = f"{account.options['api_user']}/token".encode()
    return {"authorization": basic(name, account.secrets["api_token"][0])}


def _token(answer: Answer) -> str:
    found = told(answer, "upload", "token")
    if found is None:
        raise NotSendable("Zendesk's answer names no token for a file")
    return found
