"""E-mail: a reply is handed in by SMTP submission, as an answer that finds its thread back.

Answers are asked for at a plus-address that names the conversation; bounces go there, too, except
those of automatic replies, which have no return path (RFC 3834): nothing may answer a machine's
mail. An automatic reply goes to the customer's own address, never to a Reply-To, which anybody can
point at somebody else.
"""

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.numbers import digits
from services.ingest.domain.plus_address import with_token
from services.ingest.senders.contract import (
    Answer,
    Call,
    Mail,
    NotSendable,
    Reply,
    Sender,
)
from services.ingest.senders.mail_writing import mailbox, message_id_of, write_mail

SUBMISSION_PORT = 587  # RFC 6409; 465 is TLS from the first byte (RFC 8314)


class EmailSender(Sender):
    """One mailbox's way out; not repeatable: relays do not recognise a mail handed in twice."""

    provider = "email"
    hosts = frozenset[str]()  # it makes no HTTP calls
    options = frozenset({"submission_host", "from"})
    optional = frozenset({"submission_port"})
    optional_secrets = frozenset({"submission_user", "submission_password"})
    longest = 65_536
    carries = True
    automatic_per_hour = 3

    def compose(self, reply: Reply, account: ChannelAccount) -> Call | Mail:
        """Return the mail."""
        options = account.options
        sender, recipient = mailbox(options["from"]), mailbox(recipient_of(reply))
        plus = with_token(options["address"], reply.plus_token)
        mail = write_mail(reply, sender, recipient, plus)
        port = digits(options.get("submission_port", str(SUBMISSION_PORT)))
        if port is None:
            raise NotSendable("the option submission_port is no number")
        return Mail(
            host=options["submission_host"],
            port=port,
            envelope_from="" if reply.sender != "agent" else plus or sender.addr_spec,
            envelope_to=recipient.addr_spec,
            content=mail.as_bytes(),
            message_id=message_id_of(reply, sender.domain),
            user=_secret(account, "submission_user"),
            password=_secret(account, "submission_password"),
        )

    def message_id(self, answer: Answer) -> str | None:
        """Return None: a mail's id is ours, and no HTTP answer ever comes."""
        return None


def recipient_of(reply: Reply) -> str:
    """Return where a reply goes: for an agent the Reply-To, else the customer's own address."""
    if reply.sender == "agent" and reply.reply_to and "@" in reply.reply_to:
        return reply.reply_to
    for point in reply.contact_points:
        scheme, _, value = point.partition(":")
        if scheme == "email":
            return value
    raise NotSendable("the customer has no e-mail address")


def _secret(account: ChannelAccount, name: str) -> str | None:
    values = account.secrets.get(name)
    return values[0].decode() if values else None
