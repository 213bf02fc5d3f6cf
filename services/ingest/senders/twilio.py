"""Twilio's way out: the Messages resource.

Source: Twilio's page "Messages resource". Twilio recognises no repeated call, so one whose outcome
is unknown is never made again by itself.
"""

import re
from urllib.parse import urlencode

from services.ingest.adapters.request import ChannelAccount
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.provider_calls import address_of, basic, number_of, told

API = "https://api.twilio.com"
_FILES = 10  # of one message by MMS; other carriers take one, and WhatsApp drops the rest
_FILE = re.compile(
    rf"{re.escape(API)}/2010-04-01/Accounts/(\w+)/"
    r"(?:Messages/\w+/Media/\w+|(?:Calls/\w+/)?Recordings/\w+(?:\.(?:mp3|wav))?)",
    re.ASCII,
)


class TwilioSender(Sender):
    """Sends SMS, and messages of the carriers behind Twilio, as the number in the option `from`."""

    provider = "twilio"
    hosts = frozenset({"api.twilio.com", "mms.twiliocdn.com", "media.twiliocdn.com"})
    options = frozenset({"account_sid", "from"})
    longest = 1_600

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply, with a status callback to our own hook."""
        to = reply.reply_to or number_of(reply)
        fields = [("To", to), _from(account.options["from"], to)]
        if reply.text:
            fields.append(("Body", reply.text))
        fields += [("MediaUrl", address_of(file)) for file in reply.files[:_FILES]]
        if len(fields) < 3 or len(reply.files) > (1 if ":" in to else _FILES):
            files = "one file here" if ":" in to else f"up to {_FILES} files"
            raise NotSendable(f"Twilio sends a text, or {files}, or both.")
        if callback := account.options.get("public_url"):
            fields.append(("StatusCallback", callback))
        sid = account.options["account_sid"]
        headers = {
            "authorization": _credentials(account),
            "content-type": "application/x-www-form-urlencoded",
        }
        url = f"{API}/2010-04-01/Accounts/{sid}/Messages.json"
        return Call(url, urlencode(fields).encode(), headers)

    def download(self, reference: str, account: ChannelAccount) -> Call | None:
        """Return the request for a picture or a recording of this account, with our credentials.

        Nothing else of Twilio's API, whatever address an event named.
        """
        found = _FILE.fullmatch(reference)
        if found is None or found[1] != account.options["account_sid"]:
            return None
        return Call(reference, b"", {"authorization": _credentials(account)}, method="GET")

    def message_id(self, answer: Answer) -> str | None:
        """Return the message's SID."""
        return told(answer, "sid")

    def problem(self, answer: Answer) -> str:
        """Return Twilio's error code: its pages explain each."""
        code = told(answer, "code")
        return f"Twilio error {code}" if code else super().problem(answer)


def _credentials(account: ChannelAccount) -> str:
    return basic(account.options["account_sid"].encode(), account.secrets["auth_token"][0])


def _from(ours: str, to: str) -> tuple[str, str]:
    """Return who sends: a messaging service, or our number on the carrier it came by."""
    if ours.startswith("MG"):
        return "MessagingServiceSid", ours
    carrier, separator, _ = to.partition(":")
    return "From", f"{carrier}:{ours}" if separator and ":" not in ours else ours
