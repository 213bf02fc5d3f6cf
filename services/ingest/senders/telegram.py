"""Telegram's way out: sendMessage.

Source: Telegram's page "Telegram Bot API" (sendMessage, ReplyParameters, ResponseParameters).
Telegram recognises no repeated call, so one whose outcome is unknown is never made again by itself.
"""

from datetime import timedelta
from urllib.parse import parse_qsl

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.outcomes import Later, Outcome
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply, Sender
from services.ingest.senders.provider_calls import in_json, no_files, scoped_id, told

API = "https://api.telegram.org"
_LONGEST_WAIT = 3_600  # seconds; Telegram has been seen to ask for more than a day


class TelegramSender(Sender):
    """Writes as the bot, into the chat (and topic) the customer wrote in."""

    provider = "telegram"
    hosts = frozenset({"api.telegram.org"})
    secrets = frozenset({"bot_token"})
    longest = 4_096

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply, as an answer if it answers a message."""
        no_files(reply)
        body: dict[str, object] = {**_place(reply), "text": reply.text}
        chat, _, number = (reply.in_reply_to or "").partition("/")
        if number.isdigit() and chat == body["chat_id"]:
            answered = {"message_id": int(number), "allow_sending_without_reply": True}
            body["reply_parameters"] = answered
        token = account.secrets["bot_token"][0].decode()
        headers = {"content-type": "application/json"}
        return Call(f"{API}/bot{token}/sendMessage", in_json(body), headers)

    def read(self, answer: Answer) -> Outcome:
        """Return what an answer means; how long to wait stands in its body."""
        seconds = told(answer, "parameters", "retry_after")
        if answer.status == 429 and seconds and seconds.isdigit():
            return Later("HTTP 429", timedelta(seconds=min(int(seconds), _LONGEST_WAIT)))
        return super().read(answer)

    def message_id(self, answer: Answer) -> str | None:
        """Return our id of the message: the chat's and the message's."""
        chat, number = told(answer, "result", "chat", "id"), told(answer, "result", "message_id")
        return f"{chat}/{number}" if chat and number else None

    def problem(self, answer: Answer) -> str:
        """Return Telegram's own words (`Forbidden: bot was blocked by the user`)."""
        return (told(answer, "description") or super().problem(answer))[:200]


def _place(reply: Reply) -> dict[str, str | int]:
    fields = dict(parse_qsl(reply.reply_to or "")) or {"chat_id": scoped_id(reply, "telegram")}
    if "chat_id" not in fields:
        raise NotSendable("The customer's chat is not known.")
    place: dict[str, str | int] = dict(fields)
    if (topic := fields.get("message_thread_id", "")).isdigit():
        place["message_thread_id"] = int(topic)
    return place
