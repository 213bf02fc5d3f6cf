"""The API of conversations, replies and files: how much of it one integrator gets."""

import hashlib
from typing import Any

import httpx
import pytest

from services.ingest.accounts import ApiKey
from services.ingest.app import create_http
from services.ingest.attachments import Attachments
from services.ingest.domain.channels import ApiKeyPolicy, RatePolicy
from services.ingest.domain.gate import Gate
from services.ingest.outgoing import Guard
from services.ingest.rates import Rates
from services.ingest.readers import IsolatedReader
from services.ingest.replies.api import ReplyApi
from services.ingest.replies.taking import Replies
from services.ingest.store import CONVERSATIONS, conversation_document
from services.ingest.webhooks import Webhooks
from tests.support.builders_ingest import NOW, Fakes, StoppedClock
from tests.support.builders_outbox import (
    EMAIL,
    IDS,
    KEY,
    ReplyDocuments,
    conversation,
    doors,
    from_mail,
)

CONVERSATION = f"/v1/conversations/{EMAIL}"
DESK = ApiKeyPolicy(integrator="desk", prefix="desk", sha256="env:X", channel_accounts=("*",))


class Door:
    """The reply API of one process, on a database that has one conversation by mail."""

    def __init__(self, *rates: RatePolicy) -> None:
        documents, known = ReplyDocuments(), doors("http://127.0.0.1:1")
        document = conversation_document(conversation(from_mail(NOW)))
        documents.collections[CONVERSATIONS] = {EMAIL: document}
        clock = StoppedClock()
        api = ReplyApi(
            {"desk": ApiKey(DESK, hashlib.sha256(KEY.encode()).hexdigest())},
            Replies(documents, known, clock, IDS, wake=lambda: None),
            Attachments(documents, known, Guard(), IDS, IsolatedReader()),
            clock,
            Rates(rates),
        )
        self._app = create_http(Webhooks({}, Fakes().intake(), Gate()), api)

    async def asks(self, method: str, path: str, **given: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app)
        headers = {"authorization": f"Bearer {KEY}", "idempotency-key": "key-1"}
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as http:
            return await http.request(method, path, headers=headers, **given)


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("GET", CONVERSATION, {}),
        ("GET", f"{CONVERSATION}/replies/reply_1", {}),
        ("POST", f"{CONVERSATION}/replies", {"json": {"text": "Hello", "sender": "agent"}}),
        ("GET", "/v1/attachments", {"params": {"conversation": EMAIL, "reference": "blob:x"}}),
    ],
)
async def test_one_request_too_many_is_told_how_long_to_wait(
    method: str, path: str, given: dict[str, Any]
) -> None:
    door = Door(RatePolicy(integrator="desk", requests_per_minute=2))
    for _ in range(2):
        assert (await door.asks(method, path, **given)).status_code in (200, 202, 404)
    refused = await door.asks(method, path, **given)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    assert refused.json()["error"]["code"] == "rate-limited"
