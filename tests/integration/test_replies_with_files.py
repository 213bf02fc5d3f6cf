"""Replies whose files go up first, on a real MongoDB: sent at most once, whatever uploads do."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest

from services.ingest.accounts import Door
from services.ingest.domain import limits
from services.ingest.domain.breaker import FAILURES
from services.ingest.domain.outcomes import Outcome
from services.ingest.metrics import METRICS
from services.ingest.outgoing import Guard
from services.ingest.replies.outbox import Outbox
from services.ingest.replies.store import LEASE, ReplyStore, reply_document
from services.ingest.senders.contract import File, Reply
from services.ingest.store import COLLECTIONS
from shared.errors import Unavailable
from shared.mongo import Database
from shared.observability.metrics import Metrics
from tests.support.builders_ingest import FakePublisher, StoppedClock
from tests.support.builders_outbox import end
from tests.support.builders_replies import reply
from tests.support.deployment import eventually
from tests.support.provider_stub import HANG, ProviderStub, Script, provider_stub
from tests.support.ways_out import door_of

PAPER = File("blob:b-1", "application/pdf", "a.pdf")
PLACE = Script(
    body=json.dumps(
        {"ok": True, "upload_url": "https://files.slack.com/upload/v1/Cw", "file_id": "F1"}
    ).encode()
)
UPLOADED = Script(body=b"OK - 8")
SHARED = Script(body=b'{"ok": true, "files": [{"id": "F1"}]}')
ASK, PUT, SHARE = (
    "/api/files.getUploadURLExternal",
    "/upload/v1/Cw",
    "/api/files.completeUploadExternal",
)


async def no_chat(given: Reply) -> Outcome:
    raise AssertionError("these replies go to a provider")


class Bytes:
    """Gives every file, unless the store it is in is away."""

    away = 0

    async def get(self, reference: str, door: Door) -> tuple[str, bytes]:
        if self.away:
            self.away -= 1
            raise Unavailable("MongoDB does not answer", "wait")
        return PAPER.media_type, b"%PDF-1.7"


@dataclass
class Office:
    """Outboxes with a channel account at Slack."""

    store: ReplyStore
    slack: ProviderStub
    clock: StoppedClock
    files: Bytes
    metrics: Metrics
    running: list[tuple[Outbox, asyncio.Task[None]]]

    @property
    def outbox(self) -> Outbox:
        return self.running[0][0]

    def start(self) -> Outbox:
        """Start one more process's outbox."""
        door = door_of("slack")
        options = {**door.account.options, "api_url": self.slack.url}
        there = replace(door, account=replace(door.account, options=options))
        outbox = Outbox(
            self.store,
            {("slack", "main"): there},
            Guard([self.slack.place]),
            FakePublisher(),
            self.files,
            deliver=no_chat,
            clock=self.clock,
            meter=self.metrics,
        )
        self.running.append((outbox, asyncio.create_task(outbox.run())))
        return outbox

    async def asked(self, calls: int) -> None:
        """Return once Slack has had so many calls."""

        async def had() -> bool:
            return len(self.slack.asked) >= calls

        await eventually(had, f"{calls} calls", 15.0, 0.02)

    async def add(self, number: int = 1, **changes: Any) -> str:
        """Keep a reply with a file."""
        given = reply(
            reply_id=f"reply-{number}",
            reply_to="C0HELP",
            files=(PAPER,),
            created_at=self.clock.now(),
            **changes,
        )
        document = reply_document(
            given, provider="slack", account="main", channel="messaging", fingerprint="f"
        )
        assert await self.store.add(document)
        self.outbox.wake()
        return given.reply_id

    async def becomes(self, reply_id: str, state: str, attempts: int) -> dict[str, Any]:
        """Return the reply once nobody works on it, in this state, after so many attempts."""

        async def there() -> dict[str, Any] | None:
            found = await self.store.get(reply_id)
            assert found is not None
            rests = not found["open"] if state != "waiting" else not found["claimed"]
            return (
                found
                if rests and (found["state"], found["attempts"]) == (state, attempts)
                else None
            )

        found: dict[str, Any] = await eventually(there, f"{state} after {attempts}", 15.0, 0.02)
        return found

    def paths(self) -> list[str]:
        return [asked.path for asked in self.slack.asked]


@pytest.fixture
async def office(mongodb: str) -> AsyncIterator[Office]:
    database = Database(mongodb, f"t{uuid4().hex[:8]}-files")
    await database.ensure(COLLECTIONS)
    async with provider_stub(SHARED) as slack:
        store = ReplyStore(database)
        one = Office(store, slack, StoppedClock(), Bytes(), Metrics(METRICS), running=[])
        one.start()
        yield one
        await end(one.running)
    await database.client.drop_database(database.name)
    database.close()


async def test_a_file_is_uploaded_before_the_message_that_names_it(office: Office) -> None:
    office.slack.script = [PLACE, UPLOADED]
    sent = await office.becomes(await office.add(), "sent", 1)
    assert sent["message_id"] == "F1"
    assert office.paths() == [ASK, PUT, SHARE]
    place, upload, share = office.slack.asked
    assert upload.body == b"%PDF-1.7"
    assert "authorization" not in upload.headers
    assert place.headers["authorization"] == share.headers["authorization"] == "Bearer secret"
    assert share.json()["files"] == [{"id": "F1"}]


@pytest.mark.parametrize("upload", [HANG, Script(500), Script(then="drop"), Script(429)])
async def test_an_upload_that_fails_is_tried_again_from_the_beginning_and_sent_once(
    office: Office, upload: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OUTGOING_SECONDS", 1.0)
    office.slack.script = [PLACE, upload, PLACE, UPLOADED]
    reply_id = await office.add()
    waiting = await office.becomes(reply_id, "waiting", 1)
    assert waiting["reason"]
    office.clock.time = waiting["next_at"]
    office.outbox.wake()
    await office.becomes(reply_id, "sent", 2)
    assert office.paths() == [ASK, PUT, ASK, PUT, SHARE]


async def test_an_upload_that_is_refused_fails_the_reply_with_slacks_reason(
    office: Office,
) -> None:
    office.slack.script = [Script(body=b'{"ok": false, "error": "missing_scope"}')]
    failed = await office.becomes(await office.add(), "failed", 1)
    assert failed["reason"] == "Slack error missing_scope"
    assert office.paths() == [ASK]
    counted = 'outcome="refused",provider="slack"} 1.0'
    assert counted in office.metrics.render().decode()


async def test_a_message_nobody_vouches_for_is_unknown_and_its_files_stay_where_they_are(
    office: Office,
) -> None:
    office.slack.script = [PLACE, UPLOADED, Script(500)]
    await office.becomes(await office.add(), "unknown", 1)
    assert office.paths() == [ASK, PUT, SHARE]


async def test_uploads_that_fail_open_the_breaker_as_messages_do(office: Office) -> None:
    office.slack.usual = Script(500)
    for number in range(FAILURES):
        await office.becomes(await office.add(number, conversation_id=f"c{number}"), "waiting", 1)
    behind = await office.add(9, conversation_id="c9")

    async def is_put_off() -> bool:
        found = await office.store.get(behind)
        return found is not None and found["next_at"] > office.clock.now()

    await eventually(is_put_off, "it is put off", 15.0, 0.02)
    assert office.paths() == [ASK] * FAILURES


async def test_one_whose_first_process_froze_between_its_uploads_is_sent_once(
    office: Office,
) -> None:
    frozen = asyncio.Event()
    office.slack.script = [PLACE, replace(UPLOADED, wait=frozen)]
    reply_id = await office.add()
    await office.asked(2)
    office.clock.time += LEASE
    office.slack.script = [PLACE, UPLOADED]
    office.start()
    await office.becomes(reply_id, "sent", 2)
    frozen.set()
    await office.outbox.drain()
    assert office.paths() == [ASK, PUT, ASK, PUT, SHARE]


async def test_every_preparatory_call_has_a_whole_lease_before_it(office: Office) -> None:
    slow = [asyncio.Event(), asyncio.Event()]
    office.slack.script = [replace(PLACE, wait=slow[0]), replace(UPLOADED, wait=slow[1])]
    reply_id = await office.add()
    for call in (1, 2):
        await office.asked(call)
        office.clock.time += 0.9 * LEASE
        assert await office.store.claim(reply_id, "another", office.clock.now()) is None
        slow[call - 1].set()
    await office.becomes(reply_id, "sent", 1)


async def test_who_lost_the_lease_while_uploading_sends_nothing(office: Office) -> None:
    slow = asyncio.Event()
    office.slack.script = [replace(PLACE, wait=slow)]
    reply_id = await office.add()
    await office.asked(1)
    office.clock.time += LEASE
    assert await office.store.claim(reply_id, "another", office.clock.now())
    slow.set()
    await office.outbox.drain()
    assert office.paths() == [ASK]
    found = await office.store.get(reply_id)
    assert found is not None
    assert (found["state"], found["owner"]) == ("waiting", "another")


async def test_a_file_that_our_own_store_does_not_give_now_is_sent_later(office: Office) -> None:
    office.files.away = 1
    office.slack.script = [PLACE, UPLOADED]
    reply_id = await office.add()

    async def was_away() -> bool:
        return office.files.away == 0

    await eventually(was_away, "the file was asked for", 15.0, 0.02)
    office.clock.time += LEASE
    office.outbox.wake()
    await office.becomes(reply_id, "sent", 1)
