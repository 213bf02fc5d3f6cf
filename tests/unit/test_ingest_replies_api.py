"""The API of conversations, replies and files: how much of it one integrator gets."""

import asyncio
import hashlib
from typing import Any

import httpx
import pytest

from services.ingest.accounts import ApiKey
from services.ingest.app import create_http
from services.ingest.attachments import Attachments, Blobs
from services.ingest.domain import limits
from services.ingest.domain.channels import ApiKeyPolicy, RatePolicy
from services.ingest.domain.gate import Busy, Gate
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

INVOICE = f"blob:{IDS.blob_id('email', 'support', 'invoice')}"
FILE = {"reference": INVOICE, "media_type": "application/pdf"}
CONVERSATION = f"/v1/conversations/{EMAIL}"
DESK = ApiKeyPolicy(integrator="desk", prefix="desk", sha256="env:X", channel_accounts=("*",))


class SlowBlobs:
    """Gives a file when the test lets it; counts who waits for one."""

    def __init__(self) -> None:
        self.asked, self.given = asyncio.Semaphore(0), asyncio.Event()

    async def get_blob(self, blob_id: str) -> bytes | None:
        self.asked.release()
        await self.given.wait()
        return b"%PDF"


class Door:
    """The reply API of one process, on a database that has one conversation by mail."""

    def __init__(
        self, *rates: RatePolicy, blobs: Blobs | None = None, gate: Gate | None = None
    ) -> None:
        documents, known = ReplyDocuments(), doors("http://127.0.0.1:1")
        document = conversation_document(conversation(from_mail(NOW, attachments=[FILE])))
        documents.collections[CONVERSATIONS] = {EMAIL: document}
        clock = StoppedClock()
        api = ReplyApi(
            {"desk": ApiKey(DESK, hashlib.sha256(KEY.encode()).hexdigest())},
            Replies(documents, known, clock, IDS, wake=lambda: None),
            Attachments(blobs or documents, known, Guard(), IDS, IsolatedReader()),
            clock,
            Rates(rates),
            gate,
        )
        self.app = create_http(Webhooks({}, Fakes().intake(), Gate()), api)

    async def asks(self, method: str, path: str, **given: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
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


async def test_no_more_files_are_held_at_once_than_there_is_room_for() -> None:
    blobs = SlowBlobs()
    door = Door(blobs=blobs)
    query = {"conversation": EMAIL, "reference": INVOICE}

    def get() -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(door.asks("GET", "/v1/attachments", params=query))

    held = [get() for _ in range(limits.FILES_GIVEN_EACH // limits.FETCHED)]
    for _ in held:
        await asyncio.wait_for(blobs.asked.acquire(), 30)
    refused = await asyncio.wait_for(get(), 30)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error"]["code"] == "too-many-files"
    blobs.given.set()
    assert [(await one).content for one in held] == [b"%PDF"] * len(held)
    assert (await get()).status_code == 200


async def test_a_file_keeps_its_place_until_a_slow_reader_has_all_of_it() -> None:
    gate, sending, read = Gate(total=1), asyncio.Event(), asyncio.Event()
    blobs = SlowBlobs()
    blobs.given.set()
    door = Door(blobs=blobs, gate=gate)

    async def slowly(message: Any) -> None:
        sending.set()
        await read.wait()

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/attachments",
        "query_string": f"conversation={EMAIL}&reference={INVOICE}".encode(),
        "headers": [(b"authorization", f"Bearer {KEY}".encode())],
    }
    answering = asyncio.create_task(door.app(scope, receive, slowly))
    await asyncio.wait_for(sending.wait(), 30)
    with pytest.raises(Busy), gate.enter("another"):
        pass
    read.set()
    await answering
    with gate.enter("another"):
        pass


async def test_a_file_nobody_can_give_leaves_its_place_to_the_next() -> None:
    door = Door()
    query = {"conversation": EMAIL, "reference": INVOICE}
    for _ in range(2 * limits.FILES_GIVEN_EACH // limits.FETCHED):
        assert (await door.asks("GET", "/v1/attachments", params=query)).status_code == 424
