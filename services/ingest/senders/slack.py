"""Slack's way out: chat.postMessage.

Sources: Slack's pages "chat.postMessage" and "Rate limits". Slack answers 200 whatever happened,
with `ok` and an `error`, and recognises no repeated call.
"""

import re

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.outcomes import Later, Outcome, Refused, Unclear
from services.ingest.senders.contract import Answer, Call, Reply, Sender, retry_after
from services.ingest.senders.provider_calls import bearer, in_json, no_files, scoped_id, told

API = "https://slack.com"
_FILE = re.compile(  # a file or its preview: workspace and file, then its name
    r"https://files\.slack\.com/files-(?:pri|tmb)/T\w+-F[\w-]+(?:/(?!\.)[^/?#\\]+){1,2}", re.ASCII
)
BUSY = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
UNKNOWN = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"})
ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))


class SlackSender(Sender):
    """Writes as the app, into the thread the customer wrote in."""

    provider = "slack"
    hosts = frozenset({"slack.com", "files.slack.com"})
    secrets = frozenset({"bot_token"})

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply; nothing in its text can call people or link."""
        no_files(reply)
        channel, _, thread = scoped_id(reply, "slack").partition("/")
        text = reply.text
        for sign, escape in ESCAPES:
            text = text.replace(sign, escape)
        body = {"channel": channel, "text": text}
        if thread:
            body["thread_ts"] = thread
        return Call(f"{API}/api/chat.postMessage", in_json(body), bearer(account, "bot_token"))

    def read(self, answer: Answer) -> Outcome:
        """Return what Slack's own error means; without one, what the HTTP status does."""
        error = told(answer, "error")
        if answer.status != 200 or error is None:
            return super().read(answer)
        if error in BUSY:
            return Later(self.problem(answer), retry_after(answer))
        return Unclear(error) if error in UNKNOWN else Refused(self.problem(answer))

    def message_id(self, answer: Answer) -> str | None:
        """Return our id of the message: the channel's and the message's."""
        channel, ts = told(answer, "channel"), told(answer, "ts")
        return f"{channel}/{ts}" if channel and ts else None

    def problem(self, answer: Answer) -> str:
        """Return Slack's error (`channel_not_found`): its pages explain each."""
        error = told(answer, "error")
        return f"Slack error {error[:100]}" if error else super().problem(answer)

    def download(self, reference: str, account: ChannelAccount) -> Call | None:
        """Return the request for a private file, with the bot's token."""
        if not _FILE.fullmatch(reference):
            return None
        headers = {"authorization": bearer(account, "bot_token")["authorization"]}
        return Call(reference, b"", headers, "GET")
