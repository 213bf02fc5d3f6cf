"""One mail of Mailgun's told in three ways is one event, and another mail never is."""

import json
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlencode

import pytest

from services.ingest.adapters.payloads.forms import MULTIPART
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import RawRequest
from services.ingest.listers.contract import Question
from tests.support.builders_ingest import ACCOUNTS, FORM, IDS, NOW
from tests.support.builders_listers import answered, listed_events

ENVELOPE = {"recipient": "support@example.com", "sender": "ana.kovac@example.si"}
HEADERS = {
    "From": "Ana Kovač <ana.kovac@example.si>",
    "To": "support@example.com",
    "Subject": "Račun za november",
    "Date": "Tue, 03 Nov 2026 09:59:50 +0100",
    "Message-Id": "<a20@mail.example.si>",
}
INVOICE = {"name": "račun.pdf", "bytes": "%PDF-1.4 not really"}


class Mail:
    """A mail, as its sender wrote it; what is not said is as in `HEADERS`."""

    def __init__(
        self,
        text: str = "Kje je moj račun?\r\nAna",
        html: str | None = None,
        file: dict[str, str] | None = None,
        recipient: str = ENVELOPE["recipient"],
        sender: str = ENVELOPE["sender"],
        **headers: str | None,
    ) -> None:
        given = {**HEADERS, **{name.replace("_", "-"): told for name, told in headers.items()}}
        self.headers = {name: told for name, told in given.items() if told is not None}
        self.text, self.html, self.file = text, html, file
        self.envelope = {"recipient": recipient, "sender": sender}

    def raw(self) -> RawRequest:
        """Return the request of a route whose address ends in `mime`."""
        mail = EmailMessage()
        for name, told in self.headers.items():
            mail[name] = told
        mail.set_content(self.text)
        if self.html:
            mail.add_alternative(self.html, subtype="html")
        if self.file:
            mail.add_attachment(
                self.file["bytes"].encode(), "application", "pdf", filename=self.file["name"]
            )
        return _form({**self.envelope, "body-mime": mail.as_bytes().decode()})

    def in_parts(self) -> RawRequest:
        """Return the request of a route that forwards; with a file it is multipart."""
        fields = {**self.envelope, **self._texts()}
        fields["message-headers"] = json.dumps(list(self.headers.items()))
        return _multipart(fields, self.file) if self.file else _form(fields)

    def listed(self) -> Any:
        """Return the message as Mailgun keeps it."""
        files = []
        if self.file:
            size = len(self.file["bytes"].encode())
            url = "https://storage.example.com/1"
            about = {"content-type": "application/pdf", "name": self.file["name"], "size": size}
            files = [{"url": url, **about}]
        return {
            "recipients": self.envelope["recipient"],
            "sender": self.envelope["sender"],
            "message-headers": list(self.headers.items()),
            "attachments": files,
            **self._texts(),
        }

    def _texts(self) -> dict[str, str]:
        return {"body-plain": self.text, **({"body-html": self.html} if self.html else {})}


def _form(fields: dict[str, str]) -> RawRequest:
    return RawRequest(urlencode(fields).encode(), (("content-type", FORM.encode()),))


def _multipart(fields: dict[str, str], file: dict[str, str]) -> RawRequest:
    part = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    attached = (
        f'--b\r\nContent-Disposition: form-data; name="attachment-1"; filename="{file["name"]}"\r\n'
        f"Content-Type: application/pdf\r\n\r\n{file['bytes']}\r\n"
    )
    body = "".join(part.format(*field) for field in fields.items()) + attached + "--b--\r\n"
    return RawRequest(body.encode(), (("content-type", f"{MULTIPART}; boundary=b".encode()),))


def told(request: RawRequest) -> str:
    (event,) = ADAPTERS["mailgun"].parse(request, ACCOUNTS["mailgun"], NOW, IDS).events
    return str(event.id)


def listed(mail: Mail) -> str:
    (event,) = listed_events(
        "mailgun", answered("mailgun", mail.listed(), Question("mail", ("k",)))
    )
    return str(event.id)


@pytest.mark.parametrize(
    "mail",
    [
        Mail(),
        Mail(html="<p>Kje je <b>moj</b> račun?</p>\n"),
        Mail(file=INVOICE),
        Mail(html="<p>Moj račun</p>", file=INVOICE),
    ],
    ids=["text", "HTML", "a file", "HTML and a file"],
)
def test_a_mail_is_one_event_raw_in_parts_and_listed(mail: Mail) -> None:
    assert told(mail.raw()) == told(mail.in_parts()) == listed(mail)


@pytest.mark.parametrize(
    "other",
    [
        Mail(text="Kje je moj drugi račun?"),
        Mail(html="<p>Moj račun</p>"),
        Mail(file=INVOICE),
        Mail(file={**INVOICE, "name": "drugi.pdf"}),
        Mail(file={**INVOICE, "bytes": "%PDF-1.4 another one"}),
        Mail(recipient="support+1@example.com"),
        Mail(sender="bojan.zupan@example.si"),
        Mail(Message_Id="<a21@mail.example.si>"),
        Mail(Subject="Račun za december"),
        Mail(From="Bojan Zupan <bojan.zupan@example.si>"),
        Mail(Date="Tue, 03 Nov 2026 10:59:50 +0100"),
    ],
    ids=[
        *("text", "HTML", "a file", "a file's name", "a file's size", "recipient", "sender"),
        *("Message-ID", "subject", "From", "Date"),
    ],
)
def test_a_mail_that_differs_in_anything_is_another_event(other: Mail) -> None:
    first = Mail(file=INVOICE) if other.file and other.file != INVOICE else Mail()
    assert told(other.raw()) != told(first.raw())
    assert told(other.in_parts()) != told(first.in_parts())
    assert listed(other) != listed(first)


def test_a_mail_without_a_message_id_is_known_by_its_bytes() -> None:
    mail = Mail(Message_Id=None)
    assert told(mail.raw()) == told(Mail(Message_Id=None).raw())
    assert told(mail.in_parts()) == listed(mail)
    assert told(mail.raw()) != told(mail.in_parts())
