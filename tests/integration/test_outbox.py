"""The outbox of replies on a real MongoDB: at most once, in order, whoever works on it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.ingest.attachments import Attachments
from services.ingest.domain.delivery import GIVE_UP_AFTER, Step
from services.ingest.domain.outcomes import Outcome
from services.ingest.metrics import METRICS
from services.ingest.outgoing import Guard
from services.ingest.readers import IsolatedReader
from services.ingest.replies.outbox import Outbox
from services.ingest.replies.store import LEASE, ReplyStore
from services.ingest.senders.contract import Reply
from services.ingest.senders.whatsapp import WhatsAppSender
from services.ingest.store import COLLECTIONS, CONVERSATIONS, REPLIES, conversation_document
from shared.mongo import Database
from shared.observability.metrics import Metrics
from tests.support.builders_ingest import NOW, FakePublisher, StoppedClock
from tests.support.builders_outbox import (
    IDS,
    WHATSAPP,
    conversation,
    doors,
    end,
    from_whatsapp,
    reply_to,
)
from tests.support.deployment import eventually
from tests.support.provider_stub import (
    DROP,
    ProviderStub,
    Script,
    provider_stub,
    whatsapp_takes_it,
)

ENDLESS_ID = Script(200, b'{"messages": [{"id": "' + 300 * b"w" + b'"}]}')


async def no_chat(reply: Reply) -> Outcome:
    raise AssertionError("these replies go to a provider")


@dataclass
class Office:
    """Outboxes on one database, a provider, and a clock that the test moves."""

    database: Database
    provider: ProviderStub
    clock: StoppedClock
    publisher: FakePublisher
    metrics: Metrics
    running: list[tuple[Outbox, asyncio.Task[None]]]

    @property
    def store(self) -> ReplyStore:
        return ReplyStore(self.database)

    def start(self) -> Outbox:
        guard, own = Guard([self.provider.place]), doors(self.provider.url)
        outbox = Outbox(
            self.store,
            own,
            guard,
            self.publisher,
            Attachments(self.database, own, guard, IDS, IsolatedReader()),
            deliver=no_chat,
            clock=self.clock,
            meter=self.metrics,
        )
        self.running.append((outbox, asyncio.create_task(outbox.run())))
        return outbox

    async def add(self, *numbers: int, **changes: Any) -> list[str]:
        documents = [reply_to(number, self.clock.now(), **changes) for number in numbers]
        for document in documents:
            assert await self.store.add(document)
        self.clock.time += timedelta(seconds=1)
        return [document["_id"] for document in documents]

    async def reply(self, reply_id: str) -> dict[str, Any]:
        found = await self.store.get(reply_id)
        assert found is not None
        return found

    async def becomes(self, reply_id: str, state: str, seconds: float = 15.0) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            found = await self.reply(reply_id)
            settled = not found["open"] or found["state"] == "waiting"
            return found if found["state"] == state and settled else None

        found: dict[str, Any] = await eventually(there, f"the reply is {state}", seconds, 0.02)
        return found

    async def waits(self, reply_id: str, attempts: int) -> dict[str, Any]:
        """Return the reply once it waits after so many attempts."""

        async def there() -> dict[str, Any] | None:
            found = await self.reply(reply_id)
            waits = found["state"] == "waiting" and not found["claimed"]
            return found if waits and found["attempts"] == attempts else None

        found: dict[str, Any] = await eventually(there, f"{attempts} attempts", 15.0, 0.02)
        return found

    def texts(self) -> list[str]:
        return [asked.json()["text"]["body"] for asked in self.provider.asked]


@pytest.fixture
async def office(mongodb: str) -> AsyncIterator[Office]:
    database = Database(mongodb, f"t{uuid4().hex[:8]}-outbox")
    await database.ensure(COLLECTIONS)
    await database.insert(CONVERSATIONS, conversation_document(conversation(from_whatsapp(NOW))))
    async with provider_stub(whatsapp_takes_it()) as provider:
        one = Office(
            database, provider, StoppedClock(), FakePublisher(), Metrics(METRICS), running=[]
        )
        yield one
        await end(one.running)
    await database.client.drop_database(database.name)
    database.close()


async def test_a_reply_is_sent_exactly_as_the_provider_wants_it(office: Office) -> None:
    [reply_id] = await office.add(1, in_reply_to="wamid.in.1")
    office.start()
    sent = await office.becomes(reply_id, "sent")
    [asked] = office.provider.asked
    assert (asked.method, asked.path) == ("POST", "/v23.0/1055501/messages")
    assert asked.headers["authorization"] == "Bearer access-token"
    assert asked.json() == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "38640555010",
        "type": "text",
        "text": {"body": "Reply 1"},
        "context": {"message_id": "wamid.in.1"},
    }
    assert sent["message_id"] == "wamid.1"
    [event] = office.publisher.events
    assert event.type == "throughline.message.sent.v1"
    assert event.data.reply_id == reply_id  # type: ignore[attr-defined]
    assert event.data.message_id == "wamid.1"  # type: ignore[attr-defined]


async def test_two_processes_send_each_reply_once_and_every_conversation_in_order(
    office: Office,
) -> None:
    many = {f"conv_{n}": await office.add(*range(6), conversation_id=f"conv_{n}") for n in range(8)}
    texts: dict[str, list[str]] = {conversation_id: [] for conversation_id in many}
    for conversation_id, ids in many.items():
        await office.database.insert(
            CONVERSATIONS,
            {
                **conversation_document(conversation(from_whatsapp(NOW))),
                "_id": conversation_id,
            },
        )
        for number, reply_id in enumerate(ids):
            text = f"{conversation_id} {number}"
            await office.database.change_one(
                REPLIES, {"_id": reply_id}, {"$set": {"content.text": text}}
            )
    for _ in range(3):
        office.start()

    async def all_sent() -> bool:
        return await office.database.count(REPLIES, {"open": False, "state": "sent"}) == 48

    async def clock_runs() -> bool:
        office.clock.time += timedelta(milliseconds=500)
        return await all_sent()

    await eventually(clock_runs, "all are sent", 60.0)
    assert set(Counter(office.texts()).values()) == {1}
    assert len(office.provider.asked) == 48
    for text in office.texts():
        texts[text.split()[0]].append(text)
    assert all(found == sorted(found) for found in texts.values())
    assert office.provider.most_in_flight > 1


async def test_a_provider_that_says_later_gets_it_later_and_once(office: Office) -> None:
    office.provider.script = [Script(429, headers={"retry-after": "30"}), Script(503)]
    [reply_id] = await office.add(1)
    office.start()
    waiting = await office.waits(reply_id, 1)
    assert waiting["reason"] == "HTTP 429"
    assert waiting["next_at"] >= office.clock.time + timedelta(seconds=29)
    office.clock.time += timedelta(seconds=40)
    await office.waits(reply_id, 2)
    office.clock.time += timedelta(seconds=40)
    assert (await office.becomes(reply_id, "sent"))["attempts"] == 3
    assert office.texts() == ["Reply 1"] * 3


@pytest.mark.parametrize("script", [Script(500), Script(502), DROP, Script(200, b"{}"), ENDLESS_ID])
async def test_an_outcome_that_nobody_knows_is_told_and_never_tried_again(
    office: Office, script: Script
) -> None:
    office.provider.script = [script]
    [reply_id] = await office.add(1)
    office.start()
    unknown = await office.becomes(reply_id, "unknown")
    assert unknown["reason"].startswith("outcome unknown")
    office.clock.time += timedelta(hours=1)
    [next_id] = await office.add(2)
    await office.becomes(next_id, "sent")
    assert office.texts() == ["Reply 1", "Reply 2"]
    event = office.publisher.events[0]
    assert event.type == "throughline.delivery.changed.v1"
    assert event.data.status == "failed"  # type: ignore[attr-defined]
    assert event.data.message_id == reply_id  # type: ignore[attr-defined]


async def test_where_the_provider_recognises_a_repeated_call_it_is_repeated(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WhatsAppSender, "repeatable", True)
    office.provider.script = [Script(500)]
    [reply_id] = await office.add(1)
    office.start()
    await office.waits(reply_id, 1)
    office.clock.time += timedelta(seconds=10)
    await office.becomes(reply_id, "sent")
    assert office.provider.asked[0].body == office.provider.asked[1].body


async def test_what_the_provider_refuses_has_failed_with_its_reason(office: Office) -> None:
    office.provider.script = [Script(400, b'{"error": {"code": 131026}}')]
    [reply_id] = await office.add(1)
    office.start()
    failed = await office.becomes(reply_id, "failed")
    assert failed["reason"] == "Meta error 131026"


async def test_a_provider_that_fails_is_left_alone_and_tried_again_by_one(office: Office) -> None:
    office.provider.script = [Script(500)] * 5
    failing = [(await office.add(1, conversation_id=f"conv_{number}"))[0] for number in range(5)]
    for number in range(5):
        await office.database.insert(
            CONVERSATIONS,
            {**conversation_document(conversation(from_whatsapp(NOW))), "_id": f"conv_{number}"},
        )
    office.start()
    for reply_id in failing:
        await office.becomes(reply_id, "unknown")
    held = await office.add(11, 12)

    async def postponed() -> bool:
        return bool((await office.reply(held[0]))["next_at"] > office.clock.time)

    await eventually(postponed, "the breaker holds it back")
    assert len(office.provider.asked) == 5
    assert b'breaker_open{account="main",provider="whatsapp"} 1.0' in office.metrics.render()
    office.clock.time += timedelta(seconds=20)
    await office.becomes(held[0], "sent")
    office.clock.time += timedelta(seconds=5)
    await office.becomes(held[1], "sent")
    assert b'breaker_open{account="main",provider="whatsapp"} 0.0' in office.metrics.render()


async def test_a_provider_that_nobody_reaches_is_tried_for_a_day(office: Office) -> None:
    await office.database.change_one(
        CONVERSATIONS, {"_id": WHATSAPP}, {"$set": {"window_closes_at": NOW + timedelta(days=9)}}
    )
    place = office.provider.port
    office.provider.port = 1
    [reply_id] = await office.add(1)
    office.start()
    waiting = await office.waits(reply_id, 1)
    assert "not reached" in waiting["reason"]
    office.clock.time += GIVE_UP_AFTER
    assert (await office.becomes(reply_id, "failed"))["reason"] == "not sent within 24 hours"
    office.provider.port = place


async def test_a_reply_whose_window_closes_while_it_waits_has_failed(office: Office) -> None:
    office.provider.script = [Script(503)]
    [reply_id] = await office.add(1)
    office.start()
    await office.waits(reply_id, 1)
    office.clock.time += timedelta(hours=23, minutes=59, seconds=59)
    failed = await office.becomes(reply_id, "failed")
    assert "window" in failed["reason"]
    assert len(office.provider.asked) == 1


async def test_one_found_sending_after_a_crash_is_unknown_once_its_lease_is_over(
    office: Office,
) -> None:
    first, second = await office.add(1, 2)
    now = office.clock.now()
    assert await office.store.claim(first, "gone", now)
    assert await office.store.mark_sending(first, "gone", 1, now)
    office.start()
    office.clock.time += LEASE - timedelta(seconds=2)
    office.running[0][0].wake()
    assert (await office.reply(first))["state"] == "sending"
    office.clock.time += timedelta(seconds=5)
    await office.becomes(first, "unknown")
    office.clock.time += timedelta(seconds=5)
    await office.becomes(second, "sent")
    assert office.texts() == ["Reply 2"]


async def test_an_answer_that_comes_after_all_outweighs_unknown(office: Office) -> None:
    [reply_id] = await office.add(1)
    now = office.clock.now()
    await office.store.claim(reply_id, "slow", now)
    await office.store.mark_sending(reply_id, "slow", 1, now)
    office.start()
    office.clock.time += LEASE + timedelta(seconds=1)
    await office.becomes(reply_id, "unknown")
    settled = await office.store.settle(
        reply_id, "slow", Step("sent", message_id="wamid.late"), office.clock.now()
    )
    assert settled is not None
    await office.becomes(reply_id, "sent")
    types = [event.type for event in office.publisher.events]
    assert types == ["throughline.delivery.changed.v1", "throughline.message.sent.v1"]


async def test_a_lost_lease_sends_nothing(office: Office) -> None:
    [reply_id] = await office.add(1)
    now = office.clock.now()
    assert await office.store.claim(reply_id, "first", now)
    assert await office.store.claim(reply_id, "second", now) is None
    assert await office.store.claim(reply_id, "second", now + LEASE)
    assert await office.store.mark_sending(reply_id, "first", 1, now) is None


async def test_only_one_reply_of_a_conversation_is_claimed_at_a_time(office: Office) -> None:
    first, second = await office.add(1, 2)
    claims = await asyncio.gather(
        *(office.store.claim(one, uuid4().hex, office.clock.now()) for one in (first, second) * 5)
    )
    assert len([claim for claim in claims if claim]) == 1


async def test_what_could_not_be_published_is_published_later_under_the_same_id(
    office: Office,
) -> None:
    office.publisher.down = True
    [reply_id] = await office.add(1)
    office.start()

    async def settled() -> bool:
        return bool((await office.reply(reply_id))["state"] == "sent")

    await eventually(settled, "it is sent")
    assert (await office.reply(reply_id))["open"]
    office.publisher.down = False
    office.clock.time += timedelta(seconds=10)
    await office.becomes(reply_id, "sent")
    assert len(office.publisher.events) == len(office.provider.asked) == 1


async def test_three_automatic_replies_an_hour_and_no_fourth(office: Office) -> None:
    store, now = office.store, NOW
    taken = await asyncio.gather(*(store.take_slot("hash", 3, now) for _ in range(12)))
    assert taken.count(True) == 3
    assert not await store.take_slot("hash", 3, now + timedelta(minutes=59))
    assert await store.take_slot("another", 3, now)
    later = now + timedelta(minutes=60)
    taken = await asyncio.gather(*(store.take_slot("hash", 3, later) for _ in range(12)))
    assert taken.count(True) == 3


async def test_one_account_that_hangs_holds_up_no_other_however_much_it_has_waiting(
    office: Office,
) -> None:
    answers = asyncio.Event()
    office.provider.usual = replace(whatsapp_takes_it(), wait=answers)
    for number in range(200):
        await office.add(1, conversation_id=f"conv_{number}", template="late", language="sl")
    other = {**reply_to(1, office.clock.now()), "provider": "email", "account": "archive"}
    assert await office.store.add(other)
    office.clock.time += timedelta(seconds=1)
    office.start()
    await office.becomes(other["_id"], "failed", 5.0)
    answers.set()


@pytest.mark.parametrize("steps", range(4))
async def test_it_ends_when_it_is_told_to_just_as_it_is_woken(office: Office, steps: int) -> None:
    outbox = office.start()
    _, task = office.running[0]
    await asyncio.sleep(0.05)
    outbox.wake()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert done
