"""What the send APIs of mail providers are given: the mail that SMTP would be given, in parts.

A reply is written as a whole mail first (`mail_writing`), so that it threads, and marks itself as
automatic, in the same way however it leaves.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.plus_address import with_token
from services.ingest.senders.contract import NotSendable, Reply
from services.ingest.senders.email import recipient_of
from services.ingest.senders.mail_writing import mailbox, write_mail

THREADING = ("Message-ID", "In-Reply-To", "References", "Auto-Submitted")
"""Headers that the send APIs have no field for."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to send, with its people."""

    mail: EmailMessage
    sender: Address
    recipient: Address
    reply_to: str | None

    def headers(self) -> Iterator[tuple[str, str]]:
        """Yield the headers that say which thread it is in and whether it is automatic."""
        for name in THREADING:
            if self.mail[name]:
                yield name, str(self.mail[name])

    def subject(self) -> str:
        """Return the subject."""
        return str(self.mail["Subject"])


def letter_of(reply: Reply, account: ChannelAccount) -> Letter:
    """Return the mail a reply is, from the option `from`; raise `NotSendable`."""
    sender, recipient = mailbox(account.options["from"]), mailbox(recipient_of(reply))
    reply_to = with_token(account.options["address"], reply.plus_token)
    return Letter(write_mail(reply, sender, recipient, reply_to), sender, recipient, reply_to)


def need_text(reply: Reply) -> None:
    """Raise `NotSendable` for a reply without a text, which some send APIs refuse."""
    if not reply.text:
        raise NotSendable("This provider sends no mail without a text: write one beside the files.")


def files_of(reply: Reply, name: str, media_type: str, content: str) -> list[dict[str, Any]]:
    """Return the files in base64, under the names that a provider has for their three facts."""
    return [
        {
            name: file.name or "file",
            media_type: file.media_type,
            content: base64.b64encode(file.content or b"").decode(),
        }
        for file in reply.files
    ]
