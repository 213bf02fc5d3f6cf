"""E-mail as it comes over SMTP or LMTP from our own relay; the mail itself is `mail`'s work."""

from datetime import datetime

from services.ingest.adapters.building import Builder
from services.ingest.adapters.contract import Adapter, Parsed
from services.ingest.adapters.mail.translation import MailEnvelope, translate_mail
from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.base import Trusted
from services.ingest.domain import limits
from shared.ids import KeyedIds


class Email(Adapter):
    """One mailbox: the option `address` is what mail to it is sent to."""

    provider = "email"
    transport = "smtp"
    isolated = True
    scheme = Trusted(by="our own relay, the only one the network policy lets in")
    media_types = frozenset({"message/rfc822"})
    max_body = limits.MAIL
    options = frozenset({"address"})

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Check that the envelope names this mailbox: that, and the network, is all SMTP gives."""
        recipients = request.all("envelope-to")
        if not recipients:
            raise SignatureRefused("missing")
        if not any(is_for(account, given.decode("utf-8", "replace")) for given in recipients):
            raise SignatureRefused("wrong")

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one mail (some milliseconds of work; a large one may take seconds)."""
        builder = Builder(account, received_at, ids, vouched=False)
        return translate_mail(request.body, _envelope(request), builder)


def is_for(account: ChannelAccount, recipient: str) -> bool:
    """Say whether an envelope address is this mailbox, with or without a plus-tag."""
    local, _, domain = recipient.strip().strip("<>").lower().rpartition("@")
    ours, _, our_domain = account.options["address"].lower().rpartition("@")
    return domain == our_domain and local.partition("+")[0] == ours.partition("+")[0]


def _envelope(request: RawRequest) -> MailEnvelope:
    sender = next(iter(request.all("envelope-from")), None)
    return MailEnvelope(
        None if sender is None else sender.decode("utf-8", "replace"),
        tuple(to.decode("utf-8", "replace") for to in request.all("envelope-to")),
    )
