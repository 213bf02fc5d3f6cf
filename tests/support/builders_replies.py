"""Builders for replies: one agent's reply, and a channel account with what its sender needs."""

from dataclasses import replace
from typing import Any

from services.ingest.adapters.request import ChannelAccount
from services.ingest.senders.contract import Reply
from tests.support.builders_ingest import ACCOUNTS, NOW


def reply(**changes: Any) -> Reply:
    """Return an agent's reply to Ana, unless changed."""
    plain = Reply(
        reply_id="reply-1",
        conversation_id="conv_1",
        contact_points=("tel:+38640123456",),
        sender="agent",
        text="We open at nine. 👋",
        created_at=NOW,
    )
    return replace(plain, **changes)


def sending_account(provider: str, *, secrets: dict[str, str], **options: str) -> ChannelAccount:
    """Return the fixtures' channel account with what its sender needs beside."""
    known = ACCOUNTS[provider]
    more = {name: (value.encode(),) for name, value in secrets.items()}
    return ChannelAccount(
        provider, known.name, {**known.secrets, **more}, {**known.options, **options}
    )
