"""Viber's way out: send_message.

Sources: Viber's pages "Send a message" and "Message data model" (bots API). Viber answers 200
whatever happened, with a `status` of its own, and recognises no repeated call.
"""

from typing import Any

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain import limits
from services.ingest.domain.outcomes import Later, Outcome, Refused
from services.ingest.senders.contract import Answer, Call, File, NotSendable, Reply, Sender
from services.ingest.senders.provider_calls import address_of, in_json, name_of, scoped_id, told

API = "https://chatapi.viber.com"
BUSY = "12"
PICTURES = frozenset({"image/jpeg", "image/png", "image/gif"})
_PICTURE = 1 * limits.MIB  # bytes that Viber shows on every telephone; larger ones go as files
_CAPTION = 120  # characters; newer copies of Viber's page say more, all of them at least this
_FILE_NAME = 255  # characters of the 256 that Viber takes


class ViberSender(Sender):
    """Writes as the bot, under the name in the option `sender_name`.

    Viber fetches a file itself, and must be told how many bytes it has: that is why we get them.
    """

    provider = "viber"
    hosts = frozenset({"chatapi.viber.com"})
    options = frozenset({"sender_name"})
    longest = 7_000
    carries = True

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply."""
        body = {
            "receiver": scoped_id(reply, "viber"),
            "sender": {"name": account.options["sender_name"][:28]},
            "min_api_version": 1,
            "tracking_data": reply.reply_id,
            **_content(reply),
        }
        headers = {
            "x-viber-auth-token": account.secrets["auth_token"][0].decode(),
            "content-type": "application/json",
        }
        return Call(f"{API}/pa/send_message", in_json(body), headers)

    def read(self, answer: Answer) -> Outcome:
        """Return what Viber's own status means; without one, what the HTTP status does."""
        status = told(answer, "status")
        if answer.status != 200 or status in (None, "0"):
            return super().read(answer)
        if status == BUSY:
            return Later(self.problem(answer))
        return Refused(self.problem(answer))

    def message_id(self, answer: Answer) -> str | None:
        """Return the message's token, as its receipts will name it."""
        return told(answer, "message_token")

    def problem(self, answer: Answer) -> str:
        """Return Viber's status: its pages explain each."""
        status = told(answer, "status")
        return f"Viber status {status}" if status else super().problem(answer)


def _content(reply: Reply) -> dict[str, Any]:
    if not reply.files:
        return {"type": "text", "text": reply.text}
    file, *more = reply.files
    if more:
        raise NotSendable("Viber sends one file at a time: send them one after the other.")
    media, size = address_of(file), len(file.content or b"")
    if file.media_type in PICTURES and size <= _PICTURE and len(reply.text) <= _CAPTION:
        return {"type": "picture", "text": reply.text, "media": media}
    if reply.text:
        raise NotSendable(
            f"Viber takes at most {_CAPTION} characters with a picture (JPEG, PNG or GIF of 1 MiB"
            " at most) and none with another file: send a file and a text one after the other."
        )
    return {**_kind(file), "media": media, "size": size}


def _kind(file: File) -> dict[str, Any]:
    if file.media_type == "video/mp4":  # the one kind that Viber plays
        return {"type": "video"}
    return {"type": "file", "file_name": name_of(file)[-_FILE_NAME:]}
