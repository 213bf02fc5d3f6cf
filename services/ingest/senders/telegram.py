"""Telegram's way out: sendMessage, or sendDocument for a file.

Source: Telegram's page "Telegram Bot API" (sendMessage, sendDocument, ReplyParameters,
ResponseParameters).
Telegram recognises no repeated call, so one whose outcome is unknown is never made again by itself.
"""

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import parse_qsl

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.numbers import digits
from services.ingest.domain.outcomes import Later, Outcome
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.provider_calls import form_with_files, in_json, scoped_id, told

API = "https://api.telegram.org"
_CAPTION = 1_024  # characters
_LONGEST_WAIT = 3_600  # seconds; Telegram has been seen to ask for more than a day


class TelegramSender(Sender):
    """Writes as the bot, into the chat (and topic) the customer wrote in."""

    provider = "telegram"
    hosts = frozenset({"api.telegram.org"})
    secrets = frozenset({"bot_token"})
    longest = 4_096
    carries = True

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply, as an answer if it answers a message."""
        place: dict[str, object] = {**_place(reply)}
        chat, _, number = (reply.in_reply_to or "").partition("/")
        if (message := digits(number)) is not None and chat == place["chat_id"]:
            answered = {"message_id": message, "allow_sending_without_reply": True}
            place["reply_parameters"] = answered
        base = f"{API}/bot{account.secrets['bot_token'][0].decode()}"
        if reply.files:
            return _document(f"{base}/sendDocument", reply, place)
        headers = {"content-type": "application/json"}
        return Call(f"{base}/sendMessage", in_json({**place, "text": reply.text}), headers)

    def read(self, answer: Answer) -> Outcome:
        """Return what an answer means; how long to wait stands in its body."""
        seconds = digits(told(answer, "parameters", "retry_after"))
        if answer.status == 429 and seconds is not None:
            return Later("HTTP 429", timedelta(seconds=min(seconds, _LONGEST_WAIT)))
        return super().read(answer)

    def message_id(self, answer: Answer) -> str | None:
        """Return our id of the message: the chat's and the message's."""
        chat, number = told(answer, "result", "chat", "id"), told(answer, "result", "message_id")
        return f"{chat}/{number}" if chat and number else None

    def problem(self, answer: Answer) -> str:
        """Return Telegram's own words (`Forbidden: bot was blocked by the user`)."""
        return (told(answer, "description") or super().problem(answer))[:200]


def _document(url: str, reply: Reply, place: Mapping[str, object]) -> Call:
    """Return the call with a file and its caption; what is no text in a form's field is JSON."""
    file, *more = reply.files
    if more or len(reply.text) > _CAPTION:
        raise NotSendable(f"Telegram sends one file at a time, with at most {_CAPTION} characters.")
    fields = {
        name: value if isinstance(value, str) else in_json(value).decode()
        for name, value in place.items()
    }
    caption = {"caption": reply.text} if reply.text else {}
    content_type, body = form_with_files({**fields, **caption}, "document", file)
    return Call(url, body, {"content-type": content_type})


def _place(reply: Reply) -> dict[str, str | int]:
    fields = dict(parse_qsl(reply.reply_to or "")) or {"chat_id": scoped_id(reply, "telegram")}
    if "chat_id" not in fields:
        raise NotSendable("The customer's chat is not known.")
    place: dict[str, str | int] = dict(fields)
    if (topic := digits(fields.get("message_thread_id"))) is not None:
        place["message_thread_id"] = topic
    return place
