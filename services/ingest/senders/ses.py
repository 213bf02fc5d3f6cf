"""Amazon SES's way out: the API's SendEmail (version 2), given the whole mail.

Sources: Amazon's pages "SendEmail", "Amazon SES endpoints and quotas" and "Amazon SES header
fields". SES puts a Message-ID and a Date of its own, and recognises no repeated call.
"""

import base64
from typing import Any

from services.ingest.adapters.mail.hooks import CONVERSATION
from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.outcomes import Later, Outcome
from services.ingest.senders.aws_signature import AwsKey
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender, retry_after
from services.ingest.senders.mail_api import letter_of
from services.ingest.senders.provider_calls import in_json, told

REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-east-1", "us-gov-west-1"),
    *("ca-central-1", "ca-west-1", "sa-east-1", "af-south-1", "il-central-1"),
    *("me-central-1", "me-south-1", "ap-south-1", "ap-south-2", "ap-northeast-1"),
    *("ap-northeast-2", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2"),
    *("ap-southeast-3", "ap-southeast-5", "eu-central-1", "eu-central-2", "eu-north-1"),
    *("eu-south-1", "eu-west-1", "eu-west-2", "eu-west-3"),
)
BUSY = frozenset({"LimitExceededException", "ThrottlingException", "TooManyRequestsException"})
"""Errors that mean "not now": too many a second, or the day's quota is used up."""
PROBLEMS = {
    "AccessDeniedException": "the access key may not send (ses:SendEmail, ses:SendRawEmail)",
    "AccountSuspendedException": "Amazon has ended this account's sending",
    "InvalidSignatureException": "the secret access key is wrong",
    "MailFromDomainNotVerifiedException": "the sender's domain is not verified at Amazon SES",
    "MessageRejected": "Amazon SES rejects the mail: is the sender verified, the account approved?",
    "NotFoundException": "the configuration set is not known in this region",
    "SendingPausedException": "sending is paused at Amazon SES",
    "UnrecognizedClientException": "the access key is not known",
}
"""Amazon's errors that an agent or operator can do something about."""


class SesSender(Sender):
    """Sends from the option `from`, an identity verified in the option `region`."""

    provider = "ses"
    hosts = frozenset(f"email.{region}.amazonaws.com" for region in REGIONS)
    secrets = frozenset({"secret_access_key"})
    options = frozenset({"access_key_id", "from", "region"})
    optional = frozenset({"configuration_set"})
    longest = 65_536
    carries = True
    automatic_per_hour = 3

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that hands the mail in; it is signed when it is made."""
        letter, region = letter_of(reply, account), account.options["region"]
        if region not in REGIONS:
            raise NotSendable("the option region is none of Amazon SES's")
        mail: dict[str, Any] = {
            "Destination": {"ToAddresses": [letter.recipient.addr_spec]},
            "Content": {"Raw": {"Data": base64.b64encode(letter.mail.as_bytes()).decode()}},
            "EmailTags": [{"Name": CONVERSATION, "Value": reply.conversation_id}],
        }
        if configured := account.options.get("configuration_set"):
            mail["ConfigurationSetName"] = configured
        secret = account.secrets["secret_access_key"][0]
        return Call(
            f"https://email.{region}.amazonaws.com/v2/email/outbound-emails",
            in_json(mail),
            {"content-type": "application/json"},
            signer=AwsKey(account.options["access_key_id"], secret, region, "ses"),
        )

    def read(self, answer: Answer) -> Outcome:
        """Return what Amazon's error means, else what the status does."""
        if answer.status in range(400, 500) and _error(answer) in BUSY:
            return Later(self.problem(answer), retry_after(answer))
        return super().read(answer)

    def message_id(self, answer: Answer) -> str | None:
        """Return Amazon's own id, which its news name, too."""
        return told(answer, "MessageId")

    def problem(self, answer: Answer) -> str:
        """Return what Amazon's error means; its sentences may hold addresses."""
        error = _error(answer)
        return PROBLEMS.get(error) or f"Amazon SES: HTTP {answer.status} {error[:100]}".rstrip()


def _error(answer: Answer) -> str:
    """Return the error's name, which stands before a colon or behind a hash sign."""
    named = answer.headers.get("x-amzn-errortype") or told(answer, "__type") or ""
    return named.partition(":")[0].rpartition("#")[2]
