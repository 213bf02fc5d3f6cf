"""A reply as a mail: it threads, asks for answers where they are found, carries no injection."""

import asyncio
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain import limits
from services.ingest.domain.plus_address import conversation_of, plus_token, token_in
from services.ingest.outgoing import Guard, NotSent
from services.ingest.replies.submission import submit
from services.ingest.senders.contract import (
    File,
    Later,
    Mail,
    NotSendable,
    Refused,
    Reply,
    Sent,
)
from services.ingest.senders.email import EmailSender
from shared.ids import KeyedIds
from tests.support.builders import NOON
from tests.support.provider_stub import relay_stub

IDS = KeyedIds("a key for tests only")
CONVERSATION = IDS.conversation_id("email", "support", "first@mail.example.si")
ACCOUNT = ChannelAccount(
    "email",
    "support",
    options={
        "address": "support@example.com",
        "from": "Example Support <support@example.com>",
        "submission_host": "127.0.0.1",
    },
)


def a_reply(**changes: Any) -> Reply:
    reply = Reply(
        reply_id="reply_0123456789abcdef0123456789abcdef",
        conversation_id=CONVERSATION,
        contact_points=("email:ana.novak@example.si",),
        sender="agent",
        text="Pozdravljeni,\n\nvaša pošiljka je na poti.\n",
        created_at=NOON,
        subject="Re: RE: Where is my order?",
        thread=("first@mail.example.si", "ours@example.com", "last@mail.example.si"),
        case_reference="7KF-M3X-QPW",
        plus_token=plus_token(IDS, CONVERSATION),
    )
    return replace(reply, **changes)


def composed(**changes: Any) -> Mail:
    made = EmailSender().compose(a_reply(**changes), ACCOUNT)
    assert isinstance(made, Mail)
    return made


def mail(**changes: Any) -> EmailMessage:
    parsed = message_from_bytes(composed(**changes).content, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_it_threads_after_the_last_message_and_back_to_the_first() -> None:
    written = mail()
    assert written["In-Reply-To"] == "<last@mail.example.si>"
    assert written["References"].split() == [
        "<first@mail.example.si>",
        "<ours@example.com>",
        "<last@mail.example.si>",
    ]


def test_the_message_that_is_answered_stands_last_in_references() -> None:
    written = mail(in_reply_to="ours@example.com")
    assert written["In-Reply-To"] == "<ours@example.com>"
    assert written["References"].split()[-1] == "<ours@example.com>"


def test_its_message_id_follows_from_the_reply() -> None:
    made = composed()
    assert made.message_id == "reply_0123456789abcdef0123456789abcdef@example.com"
    assert mail()["Message-ID"] == f"<{made.message_id}>"
    assert composed().content == made.content


def test_answers_and_bounces_are_asked_for_where_the_conversation_is_found() -> None:
    made = composed()
    for address in (made.envelope_from, mail()["Reply-To"].addresses[0].addr_spec):
        assert conversation_of(IDS, token_in(address) or "") == CONVERSATION


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Where is my order?", "Re: Where is my order? [7KF-M3X-QPW]"),
        ("RE: AW: Where is it?", "Re: Where is it? [7KF-M3X-QPW]"),
        ("Re: It [7KF-M3X-QPW]", "Re: It [7KF-M3X-QPW]"),
        (None, "Re: [7KF-M3X-QPW]"),
        ("Čas ⏰ dostave", "Re: Čas ⏰ dostave [7KF-M3X-QPW]"),
    ],
)
def test_the_subject_says_re_once_and_names_the_case(subject: str | None, expected: str) -> None:
    assert mail(subject=subject)["Subject"] == expected


def test_a_persons_mail_is_not_marked_automatic() -> None:
    assert mail()["Auto-Submitted"] is None


@pytest.mark.parametrize(("who", "mark"), [("bot", "auto-replied"), ("system", "auto-generated")])
def test_a_machines_mail_says_so_and_has_no_return_path(who: str, mark: str) -> None:
    assert mail(sender=who)["Auto-Submitted"] == mark
    assert composed(sender=who).envelope_from == ""


def test_an_agent_answers_at_reply_to_and_a_machine_never_does() -> None:
    assert composed(reply_to="ana@work.example.com").envelope_to == "ana@work.example.com"
    automatic = composed(reply_to="victim@example.com", sender="bot")
    assert automatic.envelope_to == "ana.novak@example.si"


def test_text_html_and_files_are_all_there() -> None:
    content = b"%PDF-1.7 \x00\xff"
    written = mail(
        html="<p>Na poti.</p>",
        files=(File("blob:1", "application/pdf", "račun.pdf", content),),
    )
    body = written.get_body(("plain",))
    assert body is not None
    assert "vaša pošiljka" in body.get_content()
    html = written.get_body(("html",))
    assert html is not None
    assert "<p>Na poti.</p>" in html.get_content()
    [file] = written.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("račun.pdf", content)


def test_a_mail_may_be_nothing_but_a_file() -> None:
    written = mail(text="", files=(File("blob:1", "image/png", "map.png", b"png"),))
    body = written.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == ""
    [file] = written.iter_attachments()
    assert (file.get_content_type(), file.get_content()) == ("image/png", b"png")


def test_a_customer_without_a_mail_address_cannot_be_sent_mail() -> None:
    with pytest.raises(NotSendable):
        composed(contact_points=("tel:+38640555010",))


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_nothing_a_customer_or_agent_wrote_adds_a_header_or_a_recipient(
    subject: str, message_id: str, name: str, text: str
) -> None:
    made = composed(
        subject=f"{subject}\r\nBcc: victim@example.com",
        thread=(message_id, f"x@y\r\nBcc: victim@example.com{message_id}"),
        in_reply_to=f"{message_id}\nBcc: victim@example.com",
        files=(File("blob:1", "text/plain", f"{name}\r\nBcc: victim@example.com", b"x"),),
        text=f"{text}\r\n.\r\nRCPT TO:<victim@example.com>",
    )
    headers = message_from_bytes(made.content, policy=policy.default)
    assert headers["Bcc"] is None
    assert made.content.isascii()
    assert made.envelope_to == "ana.novak@example.si"


def at(relay_port: int, **changes: Any) -> Mail:
    return replace(composed(**changes), host="127.0.0.1", port=relay_port)


async def test_a_mail_that_the_relay_takes_is_sent() -> None:
    async with relay_stub() as relay:
        made = at(relay.port, text="One\n.\n..\nTwo\n")
        assert await submit(Guard([relay.place]), made) == Sent(made.message_id)
    [(sender, recipients, content)] = relay.mails
    assert (sender, recipients) == (made.envelope_from, ["ana.novak@example.si"])
    body = message_from_bytes(content, policy=policy.default)
    assert isinstance(body, EmailMessage)
    assert body.get_content().splitlines() == ["One", ".", "..", "Two"]


@pytest.mark.parametrize(
    ("code", "outcome"), [("451 4.3.0 Later", Later), ("550 5.7.1 Never", Refused)]
)
async def test_a_relay_that_says_no_is_believed(code: str, outcome: type) -> None:
    async with relay_stub() as relay:
        relay.codes = [code]
        assert isinstance(await submit(Guard([relay.place]), at(relay.port)), outcome)


async def test_a_relay_inside_our_network_must_be_named() -> None:
    async with relay_stub() as relay:
        with pytest.raises(Exception, match="not public"):
            await submit(Guard(), at(relay.port))
    assert relay.mails == []


async def test_a_password_is_not_said_without_tls() -> None:
    async with relay_stub() as relay:
        made = replace(at(relay.port), user="support", password="secret")
        with pytest.raises(Exception, match="no TLS"):
            await submit(Guard([relay.place]), made)
    assert relay.mails == []


async def test_a_relay_that_is_not_there_has_surely_not_sent_it() -> None:
    async with relay_stub() as relay:
        gone = relay.port
    with pytest.raises(NotSent):
        await submit(Guard([f"127.0.0.1:{gone}"]), at(gone))


async def test_a_mail_given_up_before_its_text_went_out_stays_unsent_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SUBMISSION_SECONDS", 0.5)
    given_up = asyncio.Event()
    after_data: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def slow_relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 relay.example.com\r\n")
        while not (await reader.readline()).startswith(b"DATA"):
            writer.write(b"250 OK\r\n")
        await given_up.wait()
        writer.write(b"354 Go ahead\r\n")
        after_data.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_server(slow_relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(NotSent):
        await submit(Guard([f"127.0.0.1:{port}"]), at(port))
    given_up.set()
    assert await after_data == b""
    server.close()
