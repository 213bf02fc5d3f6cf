"""Ingest's HTTP side in this process, with everything behind it in memory."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
from fastapi import FastAPI

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.api import EventsApi
from services.ingest.app import create_http
from services.ingest.attachments import Attachments
from services.ingest.domain.gate import Gate
from services.ingest.outgoing import Guard
from services.ingest.rates import Rates
from services.ingest.readers import IsolatedReader
from services.ingest.replies.api import ReplyApi
from services.ingest.replies.taking import Replies
from services.ingest.store import CONVERSATIONS, conversation_document
from services.ingest.webhooks import Webhooks
from tests.support import builders_outbox
from tests.support.builders_ingest import DOORS, IDS, NOW, Fakes, api_keys
from tests.support.memory_database import Document, MemoryDatabase

HOOKS = sorted(name for name, adapter in ADAPTERS.items() if adapter.transport == "hook")
"""The providers that come over HTTP hooks."""

Receive = Callable[[], Awaitable[dict[str, Any]]]


class FakeDesk(MemoryDatabase):
    """Replies in memory; every conversation with an id of at most 64 characters is known.

    So requests made up by a machine get as far as a reply. Nothing is kept under `blob:`.
    """

    async def find_one(self, collection: str, where: Mapping[str, Any]) -> Document | None:
        """Return one document that matches, or None."""
        if collection != CONVERSATIONS:
            return await super().find_one(collection, where)
        known = builders_outbox.conversation(builders_outbox.from_whatsapp(NOW))
        asked: str = where["_id"]["$eq"]
        return {**conversation_document(known), "_id": asked} if len(asked) <= 64 else None

    async def change_one(
        self,
        collection: str,
        where: Mapping[str, Any],
        update: Mapping[str, Any],
        sort: Sequence[tuple[str, int]] = (),
    ) -> Document | None:
        """Change nothing: replies are taken here, and never sent."""
        return None

    async def get_blob(self, blob_id: str) -> bytes | None:
        """Return None."""
        return None


def reply_api(fakes: Fakes) -> ReplyApi:
    """Return the API of replies, with a WhatsApp account that could send."""
    desk, doors = FakeDesk(), builders_outbox.doors("http://127.0.0.1:1")
    replies = Replies(desk, doors, fakes.clock, IDS, wake=lambda: None)
    files = Attachments(desk, doors, Guard(), IDS, IsolatedReader())
    return ReplyApi(api_keys(), replies, files, fakes.clock, Rates())


def hook_app(fakes: Fakes) -> FastAPI:
    """Return the HTTP side, with the demo integrator's key."""
    intake = fakes.intake()
    return create_http(
        Webhooks(DOORS, intake, Gate()), EventsApi(api_keys(), intake, Gate()), reply_api(fakes)
    )


def client(fakes: Fakes) -> httpx.AsyncClient:
    """Return a client of the HTTP side; an error of ours is a 500, not an exception."""
    transport = httpx.ASGITransport(app=hook_app(fakes), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://ingest")


async def post_raw(
    app: FastAPI,
    path: str,
    headers: list[tuple[bytes, bytes]],
    receive: Receive,
    query: str = "",
) -> int:
    """Return the status of a POST whose body comes from `receive`, whatever a client allows."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": quote(query, safe="=&%").encode(),
        "headers": headers,
        "http_version": "1.1",
        "scheme": "http",
        "server": ("ingest", 80),
        "client": ("127.0.0.1", 1),
    }
    sent: list[dict[str, Any]] = []

    async def send_back(message: Any) -> None:
        sent.append(dict(message))

    await app(scope, receive, send_back)
    return int(sent[0]["status"])
