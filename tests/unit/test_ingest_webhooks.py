"""The hooks' answers: what is kept, what is refused, what is to be tried again."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.ingest.adapters.contract import Parsed
from services.ingest.adapters.whatsapp import WhatsApp
from services.ingest.api import EventsApi
from services.ingest.app import create_http
from services.ingest.domain import limits
from services.ingest.domain.gate import Busy, Gate
from services.ingest.webhooks import Webhooks
from tests.support.builders_ingest import (
    DOORS,
    FORM,
    Fakes,
    payload,
    sign_twilio,
    sign_whatsapp,
)

TEXT = payload("whatsapp", "text")
WHATSAPP = "/hooks/whatsapp/main"


def client(fakes: Fakes, gate: Gate | None = None) -> httpx.AsyncClient:
    """Return a client of ingest's HTTP side with everything behind it in memory."""
    intake = fakes.intake()
    app = create_http(Webhooks(DOORS, intake, gate or Gate()), EventsApi({}, intake, Gate()))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://ingest")


async def send(
    fakes: Fakes,
    body: bytes,
    signature: str | None = None,
    gate: Gate | None = None,
    **headers: str,
) -> httpx.Response:
    """Send a WhatsApp notification, rightly signed unless told otherwise."""
    given = {
        "content-type": "application/json",
        "x-hub-signature-256": sign_whatsapp(body) if signature is None else signature,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    async with client(fakes, gate) as http:
        return await http.post(WHATSAPP, content=body, headers=given)


def metric(fakes: Fakes, line: str) -> bool:
    return f"throughline_{line}" in fakes.meter.render().decode()


async def test_a_signed_message_is_published_and_then_answered() -> None:
    fakes = Fakes()
    answer = await send(fakes, TEXT)
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert fakes.types() == ["throughline.message.received.v1"]
    assert metric(
        fakes,
        'ingest_requests_total{account="main",outcome="accepted",provider="whatsapp"} 1.0',
    )


async def test_the_same_message_twice_has_one_id() -> None:
    fakes = Fakes()
    await send(fakes, TEXT)
    await send(fakes, TEXT)
    assert len({event.id for event in fakes.publisher.events}) == 1


async def test_a_message_twice_in_one_request_is_published_once() -> None:
    fakes = Fakes()
    notification = json.loads(TEXT)
    notification["entry"] *= 2
    doubled = json.dumps(notification).encode()
    assert (await send(fakes, doubled)).status_code == 200
    assert len(fakes.publisher.events) == 1


async def test_while_kafka_is_away_the_provider_is_told_to_try_again() -> None:
    fakes = Fakes()
    fakes.publisher.down = True
    answer = await send(fakes, TEXT)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=" + "0" * 64, "x" * 4_000])
async def test_what_is_not_signed_is_401_and_never_published(signature: str) -> None:
    fakes = Fakes()
    answer = await send(fakes, TEXT, signature)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "signature-refused"
    assert fakes.publisher.events == []


async def test_a_doubled_signature_is_401() -> None:
    fakes = Fakes()
    headers = [("content-type", "application/json")]
    headers += [("x-hub-signature-256", sign_whatsapp(TEXT))] * 2
    async with client(fakes) as http:
        answer = await http.post(WHATSAPP, content=TEXT, headers=headers)
    assert answer.status_code == 401
    assert metric(
        fakes,
        'ingest_signatures_refused_total{account="main",provider="whatsapp",reason="doubled"} 1.0',
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"[" * 100_000, b"{" * 70, b'{"a":' * 20_000, b"\x00\xff", b'{"object":1}'],
)
async def test_what_is_signed_but_not_understood_is_kept_whole(body: bytes) -> None:
    fakes = Fakes()
    answer = await send(fakes, body, x_extra="kept")
    assert answer.status_code == 200
    (letter,) = fakes.publisher.events
    assert letter.type == "throughline.dead-letter.recorded.v1"
    assert letter.data.body == body
    assert ("x-extra", b"kept") in [(h.name, h.value) for h in letter.data.headers]
    assert (letter.data.provider, letter.data.channel_account) == ("whatsapp", "main")
    assert metric(fakes, 'ingest_dead_letters_total{account="main",provider="whatsapp"} 1.0')


async def test_credentials_are_not_kept_in_a_dead_letter() -> None:
    fakes = Fakes()
    await send(fakes, b"not json", authorization="Basic c2VjcmV0", cookie="a=secret")
    kept = {header.name: header.value for header in fakes.publisher.events[0].data.headers}
    assert kept["authorization"] is None
    assert kept["cookie"] is None


async def test_one_broken_part_does_not_hold_up_the_others() -> None:
    fakes = Fakes()
    body = payload("whatsapp", "batch-with-one-broken")
    assert (await send(fakes, body)).status_code == 200
    received, dead = "throughline.message.received.v1", "throughline.dead-letter.recorded.v1"
    assert fakes.types() == [received, received, dead]


async def test_a_fault_of_the_adapter_keeps_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Parsed:
        raise KeyError("ana.kovac@example.si")

    monkeypatch.setattr(WhatsApp, "parse", fail)
    fakes = Fakes()
    assert (await send(fakes, TEXT)).status_code == 200
    assert fakes.publisher.events[0].data.error == "adapter: KeyError"


async def test_ignored_parts_are_counted() -> None:
    fakes = Fakes()
    assert (await send(fakes, payload("whatsapp", "template-approved"))).status_code == 200
    assert fakes.publisher.events == []
    assert metric(fakes, "ingest_ignored_parts_total{")


@pytest.mark.parametrize(
    "path",
    [
        "/hooks/whatsapp/other",
        "/hooks/nobody/main",
        "/hooks/email/support",
        "/hooks/whatsapp",
        "/hooks/../etc/passwd",
        "/hooks/whatsapp/main/more",
    ],
)
async def test_an_unknown_door_is_404(path: str) -> None:
    async with client(Fakes()) as http:
        answer = await http.post(path, content=TEXT)
    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"code", "message", "fix"}


async def test_a_wrong_content_type_is_415() -> None:
    answer = await send(Fakes(), TEXT, content_type="text/plain")
    assert answer.status_code == 415


async def test_a_body_over_the_limit_is_413_whether_announced_or_not() -> None:
    body = b" " * (limits.BODY_META + 1)
    assert (await send(Fakes(), body)).status_code == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * limits.MIB

    async with client(Fakes()) as http:
        answer = await http.post(
            WHATSAPP, content=pieces(), headers={"content-type": "application/json"}
        )
    assert answer.status_code == 413


async def test_headers_over_the_limit_are_431() -> None:
    assert (await send(Fakes(), TEXT, x_big="x" * limits.HEADERS)).status_code == 431


async def test_beyond_the_places_there_are_a_request_is_to_be_tried_again() -> None:
    gate = Gate(total=1)
    with gate.enter("twilio/main"):
        answer = await send(Fakes(), TEXT, gate=gate)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert (await send(Fakes(), TEXT, gate=gate)).status_code == 200


async def test_one_busy_account_leaves_places_for_the_others() -> None:
    gate = Gate(total=2 * limits.REQUEST, each=limits.REQUEST)
    with gate.enter("twilio/main"):
        assert (await send(Fakes(), TEXT, gate=gate)).status_code == 200


async def test_a_body_that_does_not_arrive_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.reading.read_body.__defaults__", (0.01,))

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    messages = never()

    async def receive() -> dict[str, Any]:
        chunk = await anext(messages)
        return {"type": "http.request", "body": chunk, "more_body": True}

    assert await _status(receive) == 408


async def test_a_connection_that_breaks_off_is_no_fault_of_ours() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    assert await _status(receive) == 400


async def _status(receive: Any) -> int:
    """Return the status of a request whose body comes from `receive`."""
    intake = Fakes().intake()
    app = create_http(Webhooks(DOORS, intake, Gate()), EventsApi({}, intake, Gate()))
    scope = {
        "type": "http",
        "method": "POST",
        "path": WHATSAPP,
        "raw_path": WHATSAPP.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("ingest", 80),
        "client": ("127.0.0.1", 1),
    }
    sent: list[dict[str, Any]] = []

    async def send_back(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send_back)
    return int(sent[0]["status"])


async def test_metas_challenge_is_echoed_as_text() -> None:
    async with client(Fakes()) as http:
        answer = await http.get(
            WHATSAPP,
            params={
                "hub.mode": "subscribe",
                "hub.verify_token": "verify-me",
                "hub.challenge": "<b>42</b>",
            },
        )
        wrong = await http.get(WHATSAPP, params={"hub.verify_token": "no", "hub.challenge": "1"})
        none = await http.get("/hooks/twilio/main")
    assert (answer.status_code, answer.text) == (200, "<b>42</b>")
    assert answer.headers["content-type"].startswith("text/plain")
    assert wrong.status_code == 401
    assert none.status_code == 405


async def test_twilio_is_answered_with_empty_twiml() -> None:
    fakes, body = Fakes(), payload("twilio", "sms")
    async with client(fakes) as http:
        answer = await http.post(
            "/hooks/twilio/main",
            content=body,
            headers={"content-type": FORM, "x-twilio-signature": sign_twilio(body)},
        )
    assert (answer.status_code, answer.text) == (200, "<Response/>")
    assert fakes.types() == ["throughline.message.received.v1"]


async def test_the_host_header_decides_nothing() -> None:
    body = payload("twilio", "sms")
    forged = sign_twilio(body, url="https://evil.example.com/hooks/twilio/main")
    async with client(Fakes()) as http:
        answer = await http.post(
            "/hooks/twilio/main",
            content=body,
            headers={
                "content-type": FORM,
                "host": "evil.example.com",
                "x-twilio-signature": forged,
            },
        )
    assert answer.status_code == 401


async def test_no_answer_and_no_metric_holds_what_the_sender_wrote() -> None:
    fakes = Fakes()
    canary = b"canary-ana-38640999888"
    for body in (canary, TEXT.replace(b"38640123456", canary), b'{"object": "' + canary + b'"}'):
        answer = await send(fakes, body)
        assert canary not in answer.content
    refused = await send(fakes, canary, "sha256=" + canary.decode())
    assert canary not in refused.content
    assert canary not in fakes.meter.render()


def test_what_is_announced_and_never_sent_keeps_nobody_out() -> None:
    gate = Gate()
    with contextlib.ExitStack() as waiting:
        for _ in range(500):  # each announced 25 MiB and has sent nothing
            waiting.enter_context(gate.enter("mailgun/main"))
        with gate.enter("mailgun/main"), gate.enter("slack/main"):
            pass


def test_a_body_counts_as_it_arrives() -> None:
    gate = Gate(total=3 * limits.REQUEST, each=3 * limits.REQUEST)
    with gate.enter("mailgun/main") as place:
        place.hold(4 * limits.REQUEST)
        with pytest.raises(Busy), gate.enter("slack/main"):
            pass
    with gate.enter("slack/main"):
        pass
