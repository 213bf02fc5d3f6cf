"""SMTP against the real server on a free port, with Kafka and MongoDB faked."""

import asyncio
import smtplib
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from services.ingest import handlers
from services.ingest.accounts import Door
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import ChannelAccount
from services.ingest.dead_letters import dead_letters
from services.ingest.domain import limits
from services.ingest.smtp import MailHandler, MailProtocol, mail_server
from tests.support.builders_ingest import DOORS, Fakes, payload

PLAIN = payload("email", "plain")
SENDER = "ana.kovac@example.si"
SUPPORT = "support@example.com"
SALES = Door(
    ADAPTERS["email"], ChannelAccount("email", "sales", {}, {"address": "sales@example.com"})
)


@asynccontextmanager
async def relay(
    fakes: Fakes,
    protocol: MailProtocol = "smtp",
    draining: Callable[[], bool] = lambda: False,
) -> AsyncIterator[int]:
    """Serve SMTP or LMTP; yields its port."""
    doors = {**DOORS, ("email", "sales"): SALES}
    handler = MailHandler(doors, fakes.intake(), draining)
    async with mail_server(handler, "127.0.0.1", 0, "ingest.example.com", protocol) as server:
        yield server.sockets[0].getsockname()[1]


def deliver(port: int, to: list[str], mail: bytes, sender: str = SENDER) -> Any:
    """Deliver as a relay does; returns the recipients that were refused."""
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        return client.sendmail(sender, to, mail)


async def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.to_thread(work, *arguments)


async def test_a_mail_is_kept_whole_and_published_before_250() -> None:
    fakes = Fakes()
    async with relay(fakes) as port:
        await in_thread(deliver, port, [SUPPORT], PLAIN)
    (event,) = fakes.publisher.events
    assert event.data.contact_points == ("email:ana.kovac@example.si",)
    assert fakes.blobs.kept[event.data.original.removeprefix("blob:")] == PLAIN


async def test_a_mail_delivered_again_has_the_same_id() -> None:
    fakes = Fakes()
    async with relay(fakes) as port:
        for _ in range(2):
            await in_thread(deliver, port, [SUPPORT], PLAIN)
    assert len({event.id for event in fakes.publisher.events}) == 1
    assert len(fakes.blobs.kept) == 1


async def test_a_plus_address_is_the_mailbox() -> None:
    fakes = Fakes()
    async with relay(fakes) as port:
        await in_thread(deliver, port, ["Support+case7@Example.com"], PLAIN)
    assert len(fakes.publisher.events) == 1


async def test_one_mail_for_two_mailboxes_is_two_events() -> None:
    fakes = Fakes()
    async with relay(fakes) as port:
        await in_thread(deliver, port, [SUPPORT, "sales@example.com"], PLAIN)
    assert {e.data.channel_account for e in fakes.publisher.events} == {"support", "sales"}
    assert len({event.id for event in fakes.publisher.events}) == 2


async def test_mail_for_anybody_else_is_550() -> None:
    fakes = Fakes()
    async with relay(fakes) as port:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            await in_thread(deliver, port, ["nobody@example.com"], PLAIN)
    assert refused.value.recipients["nobody@example.com"][0] == 550
    assert fakes.publisher.events == []


@pytest.mark.parametrize("broken", ["publisher", "blobs"])
async def test_what_is_not_safe_is_to_be_sent_again(broken: str) -> None:
    fakes = Fakes()
    getattr(fakes, broken).down = True
    async with relay(fakes) as port:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await in_thread(deliver, port, [SUPPORT], PLAIN)
    assert refused.value.smtp_code == 451
    assert fakes.publisher.events == []


async def test_a_fault_of_ours_does_not_bounce_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any) -> None:
        raise KeyError("ours")

    fakes = Fakes()
    monkeypatch.setattr(fakes.publisher, "publish", fail)
    async with relay(fakes) as port:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await in_thread(deliver, port, [SUPPORT], PLAIN)
    assert refused.value.smtp_code == 451


async def test_a_mail_we_cannot_read_is_kept_as_a_dead_letter() -> None:
    fakes = Fakes()
    bomb = b"X: " + b"x" * 1_500 + b"\r\n\r\nbody\r\n"
    async with relay(fakes) as port:
        await in_thread(deliver, port, [SUPPORT], bomb)
    (letter,) = fakes.publisher.events
    assert letter.type == "throughline.dead-letter.recorded.v1"
    assert letter.data.error == "headers: line too long"
    assert letter.data.body == bomb


async def test_a_mail_of_too_many_lines_is_kept_whole_and_encoded_off_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = set()

    def noticed(*given: Any) -> Any:
        threads.add(threading.get_ident())
        return dead_letters(*given)

    monkeypatch.setattr(handlers, "dead_letters", noticed)
    fakes = Fakes()
    lines = b"From: ana.kovac@example.si\r\n" + b"\r\n" * limits.MAIL_LINES
    async with relay(fakes) as port:
        await in_thread(deliver, port, [SUPPORT], lines)
    (letter,) = fakes.publisher.events
    assert letter.data.error == "mail: too many lines"
    assert letter.data.body == lines
    assert threads
    assert threading.get_ident() not in threads


async def test_a_mail_over_the_limit_is_552() -> None:
    fakes = Fakes()
    line = b"x" * 900 + b"\r\n"
    large = b"Subject: large\r\n\r\n" + line * (limits.MAIL // len(line) + 1)
    async with relay(fakes) as port:
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            await in_thread(deliver, port, [SUPPORT], large)
    assert refused.value.smtp_code == 552
    assert fakes.publisher.events == []


async def test_too_many_recipients_are_452() -> None:
    def too_many(port: int) -> int:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.ehlo()
            client.mail(SENDER)
            answers = [client.rcpt(f"support+{n}@example.com")[0] for n in range(101)]
            return answers[-1]

    async with relay(Fakes()) as port:
        assert await in_thread(too_many, port) == 452


async def test_beyond_the_connections_there_are_a_relay_is_told_to_try_again() -> None:
    def many(port: int) -> tuple[bytes, Any]:
        held = [smtplib.SMTP("127.0.0.1", port, timeout=10) for _ in range(limits.MAIL_CONNECTIONS)]
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as one_more:
                greeting = one_more.recv(100)
        finally:
            for client in held:
                client.quit()
        return greeting, None

    fakes = Fakes()
    async with relay(fakes) as port:
        greeting, _ = await in_thread(many, port)
        assert greeting.startswith(b"421")
        await in_thread(deliver, port, [SUPPORT], PLAIN)
    assert len(fakes.publisher.events) == 1


def test_a_relay_beyond_the_connections_is_told_so_on_the_loop_we_run_on() -> None:
    async def scenario() -> bytes:
        async with relay(Fakes()) as port:
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(11)]
            async with asyncio.timeout(30):
                greeting = await held[limits.MAIL_CONNECTIONS][0].read(100)
            for _, writer in held:
                writer.close()
            return greeting

    assert uvloop.run(scenario()).startswith(b"421")


async def test_a_body_in_one_line_of_megabytes_is_taken_unchanged() -> None:
    fakes = Fakes()
    long = b"From: ana.kovac@example.si\r\n\r\n" + b"x" * (3 * 1024 * 1024) + b"\r\n"
    async with relay(fakes) as port:
        await in_thread(deliver, port, [SUPPORT], long)
    (event,) = fakes.publisher.events
    assert fakes.blobs.kept[event.data.original.removeprefix("blob:")] == long


async def test_a_bounce_comes_with_the_null_sender() -> None:
    fakes = Fakes()
    async with relay(fakes) as port:
        await in_thread(deliver, port, [SUPPORT], payload("email", "bounce-of-ours"), "")
    assert fakes.types() == ["throughline.message.received.v1", "throughline.delivery.changed.v1"]


async def test_an_international_sender_is_taken() -> None:
    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.ehlo()
            client.sendmail(
                "žiga@čebela.example", [SUPPORT], PLAIN, mail_options=["SMTPUTF8", "BODY=8BITMIME"]
            )

    fakes = Fakes()
    async with relay(fakes) as port:
        await in_thread(send, port)
    assert len(fakes.publisher.events) == 1


async def test_while_draining_nobody_new_is_taken_and_a_session_starts_no_mail() -> None:
    draining = False

    def scenario(port: int) -> tuple[int, bytes]:
        nonlocal draining
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.ehlo()
            draining = True
            begun = client.mail(SENDER)[0]
            with socket.create_connection(("127.0.0.1", port), timeout=10) as one_more:
                return begun, one_more.recv(100)

    fakes = Fakes()
    async with relay(fakes, draining=lambda: draining) as port:
        begun, greeting = await in_thread(scenario, port)
    assert begun == 421
    assert greeting.startswith(b"421 4.3.2 Shutting down")
    assert fakes.publisher.events == []


def local_answers(port: int, to: list[str], mail: bytes) -> list[str]:
    """Deliver by LMTP; returns the answers to the data, one for each recipient."""
    with smtplib.LMTP("127.0.0.1", port) as client:
        client.ehlo()
        client.mail(SENDER)
        for recipient in to:
            assert client.rcpt(recipient)[0] == 250
        assert client.docmd("DATA")[0] == 354
        client.send(mail + b"\r\n.\r\n")
        answers = [client.getreply() for _ in to]
        client.send(b"NOOP\r\n")
        assert client.getreply()[0] == 250  # and no answer more
    return [str(code) for code, _ in answers]


async def test_lmtp_answers_for_each_recipient() -> None:
    fakes = Fakes()
    async with relay(fakes, "lmtp") as port:
        to = [SUPPORT, "sales@example.com", "support+x@example.com"]
        assert await in_thread(local_answers, port, to, PLAIN) == ["250", "250", "250"]
    assert {e.data.channel_account for e in fakes.publisher.events} == {"support", "sales"}


async def test_lmtp_tells_apart_who_got_the_mail_and_who_has_to_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fakes = Fakes()
    publish = fakes.publisher.publish

    async def only_support(events: Any) -> None:
        fakes.publisher.down = events[0].data.channel_account != "support"
        await publish(events)

    monkeypatch.setattr(fakes.publisher, "publish", only_support)
    async with relay(fakes, "lmtp") as port:
        to = ["sales@example.com", SUPPORT]
        assert await in_thread(local_answers, port, to, PLAIN) == ["451", "250"]


@pytest.mark.parametrize("fault", ["large", "ours"])
async def test_lmtp_answers_for_each_recipient_also_what_concerns_all(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise KeyError("ours")

    fakes = Fakes()
    monkeypatch.setattr(fakes.publisher, "publish", fail)
    large = (b"x" * 900 + b"\r\n") * (limits.MAIL // 900)
    mail = large if fault == "large" else PLAIN
    async with relay(fakes, "lmtp") as port:
        answers = await in_thread(local_answers, port, [SUPPORT, "sales@example.com"], mail)
    assert answers == (["552"] * 2 if fault == "large" else ["451"] * 2)


async def test_lmtp_knows_no_ehlo() -> None:
    def hello(port: int) -> int:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            return client.docmd("EHLO", "relay.example.com")[0]

    async with relay(Fakes(), "lmtp") as port:
        assert await in_thread(hello, port) == 500
