"""Replies through the whole of ingest, on a real Kafka and MongoDB, with stand-ins to send to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from deploy.local.ports import free_port
from services.ingest.app import create_app
from services.ingest.domain import limits
from services.ingest.domain.plus_address import conversation_of, token_in
from services.ingest.settings import Settings
from shared.events import Event
from shared.events.contact import MessageReceived, MessageSent
from shared.settings import CommonSettings
from tests.support.builders_outbox import (
    EMAIL,
    IDS,
    KEY,
    OTHER_KEY,
    SECRETS,
    WHATSAPP,
    channels,
    from_mail,
    from_meta,
    from_whatsapp,
    write_policy,
)
from tests.support.deployment import ID_KEY, Deployment, eventually
from tests.support.kafka import publish, read_events
from tests.support.provider_stub import (
    HANG,
    ProviderStub,
    RelayStub,
    Script,
    provider_stub,
    relay_stub,
    whatsapp_takes_it,
)

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass
class Desk:
    """An agent's desktop: it talks to a running ingest."""

    client: httpx.AsyncClient
    provider: ProviderStub
    relay: RelayStub
    deployment: Deployment

    async def hears(self, *events: MessageReceived) -> None:
        """Return when ingest has taken the events into its index."""
        await publish(self.deployment.kafka, self.deployment.prefix, events)
        for event in events:

            async def known(event: MessageReceived = event) -> bool:
                answer = await self.client.get(f"/v1/conversations/{event.partitionkey}")
                last = answer.json().get("last_message_at")
                return bool(last and datetime.fromisoformat(last) >= event.time)

            await eventually(known, "the conversation is known", 30.0)

    async def sends(self, conversation_id: str, key: str = "key-1", **body: Any) -> httpx.Response:
        """Return the answer to a reply."""
        return await self.client.post(
            f"/v1/conversations/{conversation_id}/replies",
            json={"text": "Na poti je.", "sender": "agent", "agent_id": "agent-maja", **body},
            headers={"Idempotency-Key": key},
        )

    async def settled(self, answer: httpx.Response, seconds: float = 30.0) -> dict[str, Any]:
        """Return the reply once it is sent, failed or unknown."""
        assert answer.status_code == 202, answer.text
        reply = answer.json()
        path = f"/v1/conversations/{reply['conversation_id']}/replies/{reply['reply_id']}"

        async def there() -> dict[str, Any] | None:
            found: dict[str, Any] = (await self.client.get(path)).json()
            return found if found["state"] in ("sent", "failed", "unknown") else None

        found: dict[str, Any] = await eventually(there, "the reply is settled", seconds)
        return found

    async def published(self, conversation_id: str, kind: str) -> list[Event]:
        """Return what is on `contact-events` about a conversation."""
        events = await read_events(self.deployment.kafka, self.deployment.prefix, "contact-events")
        return [e for e in events if e.partitionkey == conversation_id and kind in e.type]


@pytest.fixture
async def desk(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Desk]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    async with provider_stub(whatsapp_takes_it()) as provider, relay_stub() as relay:
        given = channels(provider.url, relay.port)
        settings = Settings(
            common=CommonSettings(
                kafka=deployment.kafka,
                mongodb=deployment.mongodb,
                prefix=deployment.prefix,
                id_key=SecretStr(ID_KEY),
                policy=write_policy(tmp_path / "policy", given),
            ),
            port=free_port(),
            ops_port=free_port(),
            smtp_port=free_port(),
            outgoing_allow=f"{provider.place},{relay.place}",
        )
        service, stop = create_app(settings), asyncio.Event()
        serving = asyncio.create_task(service.serve(stop))
        address = f"http://127.0.0.1:{settings.port}"
        headers = {"Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=address, headers=headers, timeout=30) as client:

            async def answers() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    return (await client.get("/openapi.json")).status_code == 200
                return False

            await eventually(answers, "ingest answers")
            yield Desk(client, provider, relay, deployment)
        stop.set()
        assert await serving == 0


async def test_a_reply_goes_out_comes_back_as_an_event_and_is_on_the_timeline(
    desk: Desk,
) -> None:
    await desk.hears(from_whatsapp(NOW))
    profile = desk.deployment.start("deploy.cli profile")
    taken = await desk.sends(WHATSAPP, in_reply_to="wamid.in.1")
    assert taken.json()["state"] == "waiting"
    found = await desk.settled(taken)
    assert (found["state"], found["message_id"]) == ("sent", "wamid.1")

    [asked] = desk.provider.asked
    assert asked.path == "/v23.0/1055501/messages"
    assert asked.json()["text"] == {"body": "Na poti je."}
    assert asked.json()["context"] == {"message_id": "wamid.in.1"}

    async def told() -> list[Event]:
        return await desk.published(WHATSAPP, "message.sent")

    [event] = await eventually(told, "message.sent is published")
    assert isinstance(event, MessageSent)
    assert event.data.reply_id == found["reply_id"]
    assert (event.data.sender, event.data.agent_id) == ("agent", "agent-maja")
    assert event.data.contact_points == ("tel:+38640555010",)
    assert not event.data.echo

    database = desk.deployment.database("profile")

    async def on_the_timeline() -> list[dict[str, Any]]:
        return await database.find("timeline", {"_id": {"$eq": event.id}})

    try:
        assert await eventually(on_the_timeline, f"it is there: {profile.log.read_text()}")
    finally:
        database.close()
    assert await profile.stop() == 0


@pytest.mark.parametrize("provider", ["instagram", "messenger"])
async def test_a_file_alone_goes_out_and_is_told_as_what_it_is(desk: Desk, provider: str) -> None:
    heard = from_meta(provider, NOW)
    conversation, picture = heard.data.conversation_id, "https://files.example.com/map.png"
    await desk.hears(heard)
    desk.provider.script = [Script(200, b'{"recipient_id": "700200300", "message_id": "m_1"}')]
    file = {"reference": picture, "media_type": "image/png", "name": "map.png"}
    both = await desk.sends(conversation, attachments=[file])
    assert (both.status_code, both.json()["error"]["code"]) == (422, "not-sendable")
    found = await desk.settled(await desk.sends(conversation, text=None, attachments=[file]))
    assert (found["state"], found["message_id"]) == ("sent", "m_1")

    [asked] = desk.provider.asked
    assert asked.path == "/v23.0/900100/messages"
    attachment = {"type": "image", "payload": {"url": picture}}
    assert asked.json()["message"] == {"attachment": attachment}

    async def told() -> list[Event]:
        return await desk.published(conversation, "message.sent")

    [event] = await eventually(told, "message.sent is published")
    assert isinstance(event, MessageSent)
    assert (event.data.kind, event.data.text) == ("image", None)
    assert [each.reference for each in event.data.attachments] == [picture]


async def test_the_same_key_gives_the_same_reply_and_sends_it_once(desk: Desk) -> None:
    await desk.hears(from_whatsapp(NOW))
    answers = await asyncio.gather(*(desk.sends(WHATSAPP) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["reply_id"] for answer in answers}) == 1
    await desk.settled(answers[0])
    again = await desk.sends(WHATSAPP)
    assert again.json()["reply_id"] == answers[0].json()["reply_id"]
    other = await desk.sends(WHATSAPP, text="Something else")
    assert other.status_code == 409
    assert other.json()["error"]["code"] == "idempotency-key-reused"
    assert len(desk.provider.asked) == 1


async def test_a_provider_that_is_busy_gets_it_a_moment_later(desk: Desk) -> None:
    await desk.hears(from_whatsapp(NOW))
    desk.provider.script = [Script(429)]
    found = await desk.settled(await desk.sends(WHATSAPP))
    assert (found["state"], found["attempts"]) == ("sent", 2)


async def test_a_provider_that_does_not_answer_in_time_leaves_it_unknown(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OUTGOING_SECONDS", 1.0)
    await desk.hears(from_whatsapp(NOW))
    desk.provider.script = [HANG]
    found = await desk.settled(await desk.sends(WHATSAPP))
    assert found["state"] == "unknown"

    async def told() -> list[Event]:
        return await desk.published(WHATSAPP, "delivery.changed")

    [event] = await eventually(told, "the agent is told")
    assert event.data.status == "failed"  # type: ignore[attr-defined]
    assert event.data.reason.startswith("outcome unknown")  # type: ignore[attr-defined]
    assert len(desk.provider.asked) == 1


async def test_outside_the_service_window_only_a_template_goes(desk: Desk) -> None:
    late = NOW - timedelta(hours=25)
    await desk.hears(from_whatsapp(late))
    shown = (await desk.client.get(f"/v1/conversations/{WHATSAPP}")).json()
    assert shown["allowed"] == ["template"]
    refused = await desk.sends(WHATSAPP)
    assert refused.status_code == 409
    error = refused.json()["error"]
    assert error["code"] == "outside-service-window"
    assert (late + timedelta(hours=24)).isoformat() in error["message"]
    assert "template" in error["fix"]
    taken = await desk.sends(WHATSAPP, template="order_update", language="sl")
    assert (await desk.settled(taken))["state"] == "sent"
    assert desk.provider.asked[0].json()["template"] == {
        "name": "order_update",
        "language": {"code": "sl"},
    }


async def test_what_can_never_be_sent_is_refused_at_once(desk: Desk) -> None:
    archived = IDS.conversation_id("email", "archive", "x")
    await desk.hears(
        from_whatsapp(NOW), from_mail(NOW, conversation=archived, channel_account="archive")
    )

    async def code(conversation_id: str, status: int, **body: Any) -> str:
        answer = await desk.sends(conversation_id, **body)
        assert answer.status_code == status, answer.text
        error: str = answer.json()["error"]["code"]
        return error

    assert await code("conv_unknown", 404) == "unknown-conversation"
    assert await code(archived, 409) == "channel-receives-only"
    assert await code(WHATSAPP, 422, text="x" * 4_097) == "text-too-long"
    assert await code(WHATSAPP, 422, text="") == "invalid"
    assert await code(WHATSAPP, 422, sender="customer") == "invalid"
    assert await code(WHATSAPP, 422, sneaky=1) == "invalid"
    foreign = [{"reference": "blob:somebody-elses-mail"}]
    assert await code(WHATSAPP, 422, attachments=foreign) == "unknown-attachment"
    files = [{"reference": f"https://files.example.com/{name}.pdf"} for name in "ab"]
    assert await code(WHATSAPP, 422, attachments=files) == "not-sendable"
    keyless = await desk.client.post(
        f"/v1/conversations/{WHATSAPP}/replies", json={"text": "x", "sender": "agent"}
    )
    assert (keyless.status_code, keyless.json()["error"]["code"]) == (
        400,
        "idempotency-key-missing",
    )
    path = f"/v1/conversations/{WHATSAPP}/replies"
    for body in (b'{"text": "\\ud800", "sender": "agent"}', b'{"text": ', b"[]", b"\xff", b""):
        answer = await desk.client.post(
            path,
            content=body,
            headers={"Idempotency-Key": "k", "content-type": "application/json"},
        )
        assert answer.status_code in (400, 422), (body, answer.text)
    for odd in ("%00", "%F0%9F%98%80", "a" * 3_000, "$ne", "%7B%22%24gt%22%3A%22%22%7D"):
        assert await code(odd, 404) == "unknown-conversation"
    assert desk.provider.asked == []


async def test_a_key_sees_only_the_conversations_of_its_channel_accounts(desk: Desk) -> None:
    await desk.hears(from_whatsapp(NOW))
    path = f"/v1/conversations/{WHATSAPP}"
    other = {"Authorization": f"Bearer {OTHER_KEY}"}
    assert (await desk.client.get(path, headers=other)).status_code == 404
    nobody = await desk.client.get(path, headers={"Authorization": "Bearer desk.wrong"})
    assert nobody.status_code == 401
    taken = await desk.sends(WHATSAPP)
    reply = f"{path}/replies/{taken.json()['reply_id']}"
    assert (await desk.client.get(reply)).status_code == 200
    assert (await desk.client.get(reply, headers=other)).status_code == 404


async def test_a_reply_by_mail_threads_and_is_answered_into_its_conversation(desk: Desk) -> None:
    await desk.hears(from_mail(NOW))
    found = await desk.settled(await desk.sends(EMAIL, html="<p onclick='x()'>Na poti.</p>"))
    assert found["state"] == "sent"
    [(sender, recipients, content)] = desk.relay.mails
    mail = message_from_bytes(content, policy=policy.default)
    assert recipients == ["ana.novak@example.si"]
    assert mail["In-Reply-To"] == mail["References"] == "<m-1@mail.example.si>"
    assert mail["Subject"] == "Re: Where is my order?"
    assert mail["Message-ID"] == f"<{found['message_id']}>"
    for address in (sender, mail["Reply-To"].addresses[0].addr_spec):
        assert conversation_of(IDS, token_in(address) or "") == EMAIL
    assert b"onclick" not in content

    async def told() -> list[Event]:
        return await desk.published(EMAIL, "message.sent")

    [event] = await eventually(told, "message.sent is published")
    assert event.data.html == "<p>Na poti.</p>"  # type: ignore[attr-defined]

    database = desk.deployment.database("ingest")

    async def thread_goes_on() -> bool:
        document = await database.find_one("conversations", {"_id": EMAIL})
        return document is not None and len(document["thread"]) == 2

    await eventually(thread_goes_on, "our own mail is part of the thread")
    database.close()


async def test_a_customer_gets_three_automatic_mails_an_hour_at_most(desk: Desk) -> None:
    await desk.hears(from_mail(NOW))

    async def settled(number: int) -> None:
        taken = await desk.sends(EMAIL, key=f"bot-{number}", sender="bot")
        assert (await desk.settled(taken))["state"] == "sent"

    for number in range(3):
        await settled(number)
    fourth = await desk.sends(EMAIL, key="bot-3", sender="bot")
    assert fourth.status_code == 429
    assert (await desk.settled(await desk.sends(EMAIL, key="agent")))["state"] == "sent"
    assert len(desk.relay.mails) == 4


async def test_a_bot_does_not_answer_an_out_of_office_mail(desk: Desk) -> None:
    away = from_mail(NOW, automatic=True, kind="auto-reply")
    await publish(desk.deployment.kafka, desk.deployment.prefix, [away])

    async def known() -> bool:
        return (await desk.client.get(f"/v1/conversations/{EMAIL}")).status_code == 200

    await eventually(known, "the conversation is known")
    refused = await desk.sends(EMAIL, sender="bot")
    assert (refused.status_code, refused.json()["error"]["code"]) == (
        409,
        "would-answer-a-machine",
    )
    assert (await desk.settled(await desk.sends(EMAIL, key="2")))["state"] == "sent"


async def test_a_file_of_a_conversation_is_given_shielded_and_no_other_is(desk: Desk) -> None:
    database = desk.deployment.database("ingest")
    ours = IDS.blob_id("whatsapp", "main", "1")
    theirs = IDS.blob_id("email", "support", "1")
    for blob in (ours, theirs):
        await database.put_blob(blob, b"<script>alert(1)</script>")
    database.close()
    file = {"reference": f"blob:{ours}", "media_type": "text/html", "name": 'a\r\n"b".html'}
    foreign = {"reference": f"blob:{theirs}"}
    inside = {"reference": "https://169.254.169.254/latest/meta-data"}
    await desk.hears(from_whatsapp(NOW, attachments=(file, inside, foreign)))

    async def get(reference: str) -> httpx.Response:
        query = {"conversation": WHATSAPP, "reference": reference}
        return await desk.client.get("/v1/attachments", params=query)

    given = await get(f"blob:{ours}")
    assert given.content == b"<script>alert(1)</script>"
    assert given.headers["content-type"] == "application/octet-stream"
    assert given.headers["content-disposition"].startswith("attachment; filename*=UTF-8''a%0D%0A")
    assert given.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in given.headers["content-security-policy"]
    assert (await get("blob:another")).status_code == 404
    assert (await get(f"blob:{theirs}")).status_code == 424
    assert (await get("https://example.com/")).status_code == 404
    refused = await get("https://169.254.169.254/latest/meta-data")
    assert (refused.status_code, refused.json()["error"]["code"]) == (424, "not-fetched")
