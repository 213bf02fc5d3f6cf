"""Builders for replies: a policy with channel accounts that can send, and conversations."""

import asyncio
import contextlib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from services.ingest.accounts import Doors, open_doors
from services.ingest.domain.channels import ChannelsPolicy
from services.ingest.domain.conversations import Conversation, hear
from services.ingest.replies.conversation_index import fact_of
from services.ingest.replies.outbox import Outbox
from services.ingest.replies.store import reply_document
from services.ingest.senders.contract import Reply
from shared.events.contact import MessageReceived
from shared.ids import KeyedIds, derived_id
from tests.support.builders import a_message_received
from tests.support.deployment import ID_KEY
from tests.support.memory_database import MemoryDatabase

IDS = KeyedIds(ID_KEY)
KEY = "desk.a-secret-of-the-agents-desktop"
OTHER_KEY = "other.a-secret-of-somebody-else"
SECRETS = {
    "WHATSAPP_APP_SECRET": "app-secret",
    "WHATSAPP_VERIFY_TOKEN": "verify-token",
    "WHATSAPP_ACCESS_TOKEN": "access-token",
    **{
        f"{provider}_{name}": name.lower()
        for provider in ("INSTAGRAM", "MESSENGER")
        for name in ("APP_SECRET", "VERIFY_TOKEN", "ACCESS_TOKEN")
    },
    "DESK_KEY_SHA256": hashlib.sha256(KEY.encode()).hexdigest(),
    "OTHER_KEY_SHA256": hashlib.sha256(OTHER_KEY.encode()).hexdigest(),
}
WHATSAPP = IDS.conversation_id("whatsapp", "main", "SI.1")
EMAIL = IDS.conversation_id("email", "support", "m-1@mail.example.si")


def channels(whatsapp_url: str = "http://127.0.0.1:1", relay_port: int = 1) -> dict[str, Any]:
    """Return a `channels.yaml` whose accounts send to stand-ins (Meta's all to one)."""
    return {
        "version": 1,
        "channel_accounts": [
            {
                "provider": "whatsapp",
                "account": "main",
                "secrets": {
                    "app_secret": ["env:WHATSAPP_APP_SECRET"],
                    "verify_token": ["env:WHATSAPP_VERIFY_TOKEN"],
                    "access_token": ["env:WHATSAPP_ACCESS_TOKEN"],
                },
                "options": {
                    "portfolio": "example-portfolio",
                    "phone_number_id": "1055501",
                    "api_url": whatsapp_url,
                },
            },
            {
                "provider": "email",
                "account": "support",
                "options": {
                    "address": "support@example.com",
                    "from": "support@example.com",
                    "submission_host": "127.0.0.1",
                    "submission_port": str(relay_port),
                },
            },
            *(_metas_account(provider, whatsapp_url) for provider in ("instagram", "messenger")),
            {"provider": "email", "account": "archive", "options": {"address": "a@example.com"}},
        ],
        "api_keys": [
            {
                "integrator": "desk",
                "prefix": "desk",
                "sha256": "env:DESK_KEY_SHA256",
                "channel_accounts": ["*"],
            },
            {
                "integrator": "other",
                "prefix": "other",
                "sha256": "env:OTHER_KEY_SHA256",
                "channel_accounts": ["email/archive"],
            },
        ],
    }


def _metas_account(provider: str, url: str) -> dict[str, Any]:
    names = ("app_secret", "verify_token", "access_token")
    return {
        "provider": provider,
        "account": "main",
        "secrets": {name: [f"env:{provider.upper()}_{name.upper()}"] for name in names},
        "options": {"page_id": "900100", "api_url": url},
    }


class ReplyDocuments(MemoryDatabase):
    """What taking a reply in reads and adds; nothing is changed."""

    async def change_one(
        self,
        collection: str,
        where: Mapping[str, Any],
        update: Mapping[str, Any],
        sort: Sequence[tuple[str, int]] = (),
    ) -> dict[str, Any] | None:
        """Refuse: a reply that was taken in is changed by the outbox alone."""
        raise NotImplementedError

    async def get_blob(self, blob_id: str) -> bytes | None:
        """Return nothing: there are no blobs."""
        return None


def write_policy(folder: Path, given: dict[str, Any]) -> str:
    """Write a policy folder and return its path."""
    folder.mkdir(exist_ok=True)
    (folder / "channels.yaml").write_text(yaml.safe_dump(given))
    return str(folder)


def doors(whatsapp_url: str) -> Doors:
    """Return the doors of that policy."""
    return open_doors(ChannelsPolicy.model_validate(channels(whatsapp_url)), SECRETS)


def from_whatsapp(at: datetime, **data: Any) -> MessageReceived:
    """Return a customer's WhatsApp message; the service window closes a day later."""
    return a_message_received(
        WHATSAPP,
        time=at,
        channel="messaging",
        **{
            "provider": "whatsapp",
            "contact_points": ("tel:+38640555010",),
            "message_id": "wamid.in.1",
            "window_closes_at": at + timedelta(hours=24),
            **data,
        },
    )


def from_meta(provider: str, at: datetime, **data: Any) -> MessageReceived:
    """Return a customer's message by Messenger or Instagram; the window closes a day later."""
    return a_message_received(
        IDS.conversation_id(provider, "main", "700200300"),
        time=at,
        channel="social",
        **{
            "provider": provider,
            "contact_points": (f"{provider}:900100/700200300",),
            "message_id": "m_in_1",
            "window_closes_at": at + timedelta(hours=24),
            **data,
        },
    )


def from_mail(at: datetime, conversation: str = EMAIL, **data: Any) -> MessageReceived:
    """Return a customer's mail."""
    return a_message_received(
        conversation,
        time=at,
        channel="email",
        **{
            "provider": "email",
            "channel_account": "support",
            "contact_points": ("email:ana.novak@example.si",),
            "message_id": "m-1@mail.example.si",
            "subject": "Where is my order?",
            **data,
        },
    )


def conversation(event: MessageReceived) -> Conversation:
    """Return what ingest remembers after one event."""
    fact = fact_of(event)
    assert fact is not None
    return hear(Conversation(fact.conversation_id), fact)


def reply_to(
    number: int, at: datetime, conversation_id: str = WHATSAPP, **changes: Any
) -> dict[str, Any]:
    """Return the document of a reply on WhatsApp."""
    reply = Reply(
        **{
            "reply_id": derived_id("reply", conversation_id, str(number)),
            "conversation_id": conversation_id,
            "contact_points": ("tel:+38640555010",),
            "sender": "agent",
            "agent_id": "agent-maja",
            "text": f"Reply {number}",
            "created_at": at + timedelta(milliseconds=number),
            **changes,
        }
    )
    return reply_document(
        reply, provider="whatsapp", account="main", channel="messaging", fingerprint="f"
    )


async def end(running: Iterable[tuple[Outbox, asyncio.Task[None]]]) -> None:
    """End outboxes that a test has started, each with the task that runs it."""
    for outbox, task in running:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await outbox.drain()
