"""Mailgun's way out: the messages API, given the whole mail.

Source: Mailgun's API reference, "Send an email in MIME format". Mailgun keeps our Message-ID and
recognises no repeated call.
"""

from services.ingest.adapters.mail.hooks import CONVERSATION
from services.ingest.adapters.request import ChannelAccount
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.mail_api import letter_of
from services.ingest.senders.provider_calls import basic, told

HOSTS = {"us": "api.mailgun.net", "eu": "api.eu.mailgun.net"}


class MailgunSender(Sender):
    """Sends from the option `from` through the sending domain `domain` at Mailgun."""

    provider = "mailgun"
    hosts = frozenset(HOSTS.values())
    secrets = frozenset({"api_key"})
    options = frozenset({"domain", "from"})
    optional = frozenset({"region"})
    longest = 65_536
    carries = True
    automatic_per_hour = 3

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that hands the mail in."""
        letter = letter_of(reply, account)
        host = HOSTS.get(account.options.get("region", "us"))
        if host is None:
            raise NotSendable("the option region is none of Mailgun's")
        boundary = f"=_form_{reply.reply_id}"
        fields = {
            "to": letter.recipient.addr_spec.encode(),
            f"v:{CONVERSATION}": reply.conversation_id.encode(),
            'message"; filename="mail.eml': letter.mail.as_bytes(),
        }
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
            + value
            for name, value in fields.items()
        ]
        body = b"\r\n".join([*parts, f"--{boundary}--\r\n".encode()])
        headers = {
            "authorization": basic(b"api", account.secrets["api_key"][0]),
            "content-type": f'multipart/form-data; boundary="{boundary}"',
        }
        domain = account.options["domain"]
        return Call(f"https://{host}/v3/{domain}/messages.mime", body, headers)

    def message_id(self, answer: Answer) -> str | None:
        """Return the Message-ID, as Mailgun's news call it."""
        return (told(answer, "id") or "").strip("<>") or None
