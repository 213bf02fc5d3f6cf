"""Every way out: a channel account that can send, and a conversation of Ana's to answer."""

from datetime import timedelta
from typing import Any

from services.ingest.accounts import Door, Doors
from services.ingest.domain.channels import ApiKeyPolicy
from services.ingest.replies.body import ReplyBody
from services.ingest.replies.taking import Replies
from services.ingest.senders.registry import SENDERS
from services.ingest.store import CONVERSATIONS, conversation_document
from tests.support.builders import a_message_received
from tests.support.builders_ingest import ACCOUNTS, DOORS, NOW, StoppedClock
from tests.support.builders_outbox import IDS, ReplyDocuments, conversation
from tests.support.builders_replies import sending_account

DESK = ApiKeyPolicy(integrator="desk", prefix="desk", sha256="env:X", channel_accounts=("*",))
REPLY_TO = {
    "chatwoot": "12",
    "freshchat": "12",
    "intercom": "12",
    "slack": "C0HELP/1762160400.000400",
    "telegram": "chat_id=401200123",
    "webchat": f"chat_{'0' * 32}",
    "x": "dm:3805104374",
    "zendesk": "12",
}
POINTS = ("tel:+38640123456", "email:ana@example.si")
OPTIONS = {"from": "support@example.com", "region": "eu-west-1"}
NUMBER = "+38615550101"


def door_of(provider: str) -> Door:
    """Return the door of a channel account that has all its sender needs."""
    sender = SENDERS[provider]
    options = {name: OPTIONS.get(name, "1") for name in sender.options}
    if provider in ("twilio", "vonage"):
        options["from"] = NUMBER
    secrets = dict.fromkeys(sender.secrets, "secret")
    account = sending_account(provider, secrets=secrets, **options)
    return Door(DOORS[provider, account.name].adapter, account, sender)


def everywhere() -> Doors:
    """Return such a door for every provider that has a sender."""
    return {(name, ACCOUNTS[name].name): door_of(name) for name in SENDERS}


class Desk:
    """Agents of a company with one conversation on every channel account.

    `is_open` says whether the service window is.
    """

    def __init__(self, *, is_open: bool = True) -> None:
        self.documents = ReplyDocuments()
        self.closes = NOW + timedelta(hours=1 if is_open else -1)
        self.woken = 0

    async def sends(self, provider: str, *, reply_to: str | None = None, **body: Any) -> Any:
        """Take in an agent's reply to the conversation; return its document."""
        message = a_message_received(
            f"conv_{provider}",
            time=NOW,
            contact_points=(*self._own_points(provider), *POINTS),
            provider=provider,
            channel_account=ACCOUNTS[provider].name,
            reply_to=reply_to or REPLY_TO.get(provider),
            window_closes_at=self.closes,
        )
        known = conversation_document(conversation(message))
        await self.documents.insert(CONVERSATIONS, known)
        replies = Replies(self.documents, everywhere(), StoppedClock(), IDS, self._wake)
        given = ReplyBody.model_validate({"sender": "agent", **body})
        return await replies.take(f"conv_{provider}", given, "key-1", DESK)

    def _own_points(self, provider: str) -> tuple[str, ...]:
        scoped = provider in ("instagram", "line", "messenger", "viber")
        return (f"{provider}:1/700200300",) if scoped else ()

    def _wake(self) -> None:
        self.woken += 1
