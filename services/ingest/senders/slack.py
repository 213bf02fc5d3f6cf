"""Slack's way out: chat.postMessage, and for files an upload that is shared once it is complete.

Sources: Slack's pages "chat.postMessage", "files.getUploadURLExternal",
"files.completeUploadExternal" and "Rate limits". Slack answers 200 whatever happened, with `ok` and
an `error`, and recognises no repeated call. What is uploaded and never shared nobody sees.
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.json_fields import list_at, string_at
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.domain.outcomes import Later, Outcome, Refused, Unclear
from services.ingest.senders.contract import (
    Answer,
    Call,
    NotSendable,
    Reply,
    Sender,
    retry_after,
)
from services.ingest.senders.provider_calls import bearer, in_json, name_of, scoped_id, told

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
    carries = True

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply; nothing in its text can call people or link."""
        return self.compose_prepared(reply, account, ())

    def prepare(
        self, reply: Reply, account: ChannelAccount, answers: Sequence[Answer]
    ) -> Call | None:
        """Return, for each file in turn, the call that asks for a place, then the upload there.

        The place takes whoever knows its address: our token does not go there.
        """
        number, asked = divmod(len(answers), 2)
        if number == len(reply.files):
            return None
        content = reply.files[number].content or b""
        if asked:
            headers = {"content-type": "application/octet-stream"}
            return Call(_told(answers[-1], "upload_url"), content, headers)
        wanted = urlencode({"filename": name_of(reply.files[number]), "length": len(content)})
        headers = {
            **bearer(account, "bot_token"),
            "content-type": "application/x-www-form-urlencoded",
        }
        return Call(f"{API}/api/files.getUploadURLExternal", wanted.encode(), headers)

    def compose_prepared(
        self, reply: Reply, account: ChannelAccount, answers: Sequence[Answer]
    ) -> Call:
        """Return the call that posts the text, or shares the files whose places Slack named."""
        channel, _, thread = scoped_id(reply, "slack").partition("/")
        place = {"thread_ts": thread} if thread else {}
        body: dict[str, Any] = {"channel": channel, "text": _escaped(reply.text), **place}
        method = "chat.postMessage"
        if reply.files:
            comment = {"initial_comment": _escaped(reply.text)} if reply.text else {}
            files = [{"id": _told(answer, "file_id")} for answer in answers[::2]]
            body = {"channel_id": channel, "files": files, **comment, **place}
            method = "files.completeUploadExternal"
        return Call(f"{API}/api/{method}", in_json(body), bearer(account, "bot_token"))

    def unprepared(self, answer: Answer) -> Later | Refused | None:
        """Return what Slack's own error means; the upload itself is answered in plain words."""
        error = told(answer, "error")
        if error is None:
            return super().unprepared(answer)
        if error in BUSY or error in UNKNOWN:
            return Later(self.problem(answer), retry_after(answer))
        return Refused(self.problem(answer))

    def read(self, answer: Answer) -> Outcome:
        """Return what Slack's own error means; without one, what the HTTP status does."""
        error = told(answer, "error")
        if answer.status != 200 or error is None:
            return super().read(answer)
        if error in BUSY:
            return Later(self.problem(answer), retry_after(answer))
        return Unclear(error) if error in UNKNOWN else Refused(self.problem(answer))

    def message_id(self, answer: Answer) -> str | None:
        """Return our id of the message: the channel's and the message's.

        Of shared files Slack tells no message, for it shares them a moment later: there it is the
        first file's.
        """
        channel, ts = told(answer, "channel"), told(answer, "ts")
        return f"{channel}/{ts}" if channel and ts else _first_file(answer)

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


def _escaped(text: str) -> str:
    for sign, escape in ESCAPES:
        text = text.replace(sign, escape)
    return text


def _told(answer: Answer, name: str) -> str:
    found = told(answer, name)
    if found is None:
        raise NotSendable(f"Slack's answer names no {name} for a file")
    return found


def _first_file(answer: Answer) -> str | None:
    try:
        files = list_at(parse_json(answer.body), "files")
    except Malformed:
        return None
    return string_at(files[0], "id") if files else None
