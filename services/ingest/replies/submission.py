"""Handing a mail in: SMTP submission (RFC 6409) to the deployment's own relay or a provider's.

The standard library's client, in a thread. The relay is an address that an operator wrote, so the
guard judges it as any other: one inside our network is named in THROUGHLINE_INGEST_OUTGOING_ALLOW.
Outside the exceptions nothing is said before TLS, and a password never.
"""

import asyncio
import smtplib
import socket
import ssl
import threading
from typing import Any

from services.ingest.domain import limits
from services.ingest.domain.addresses import AddressRefused, Target
from services.ingest.outgoing import Guard, NotSent, OutcomeUnknown
from services.ingest.senders.contract import Later, Mail, Outcome, Refused, Sent

_TLS_PORT = 465


async def submit(guard: Guard, mail: Mail) -> Outcome:
    """Hand in a mail and return what the relay said.

    Raises as `outgoing.call` does: until the mail's own text goes out it is surely not sent.
    """
    target = Target("smtp", mail.host.lower(), mail.port)
    try:
        async with asyncio.timeout(limits.OUTGOING_CONNECT_SECONDS):
            address = await guard.public_address_of(target)
    except (OSError, TimeoutError) as error:
        raise NotSent(type(error).__name__) from None
    session = _Submission(mail, address, must_encrypt=not guard.is_exempt(target))
    try:
        async with asyncio.timeout(limits.SUBMISSION_SECONDS):
            return await asyncio.to_thread(session.run)
    except TimeoutError:  # the thread goes on a while, and nobody hears its outcome
        raise session.abandon("TimeoutError") from None


class _Submission:
    """One session, in a thread: the text of the mail goes out, or nobody waits any more.

    Which of the two came first is decided once: who was told "not sent" sends it again.
    """

    def __init__(self, mail: Mail, address: str, *, must_encrypt: bool) -> None:
        self._mail, self._address, self._must_encrypt = mail, address, must_encrypt
        self._turn = threading.Lock()
        self._began = self._abandoned = False

    def abandon(self, why: str) -> Exception:
        """Let the text stay here unless it is on its way, and return which of the two it is."""
        with self._turn:
            self._abandoned = True
            return self._failure(why)

    def _begin(self) -> None:
        with self._turn:
            if self._abandoned:
                raise NotSent("nobody waits for it")
            self._began = True

    def _failure(self, why: str) -> Exception:
        return OutcomeUnknown(why) if self._began else NotSent(why)

    def run(self) -> Outcome:
        try:
            client = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise self._failure(type(error).__name__) from None
        try:
            return self._talk(client)
        except smtplib.SMTPResponseException as error:
            return _verdict(error.smtp_code)
        except (OSError, smtplib.SMTPException) as error:
            raise self._failure(type(error).__name__) from None
        finally:
            client.close()

    def _connect(self) -> smtplib.SMTP:
        kind = _ImplicitTls if self._mail.port == _TLS_PORT else _Plain
        client = kind(self._address, timeout=limits.OUTGOING_CONNECT_SECONDS)
        code, _ = client.connect(self._mail.host, self._mail.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, b"")
        return client

    def _talk(self, client: smtplib.SMTP) -> Outcome:
        client.ehlo_or_helo_if_needed()
        encrypted = self._mail.port == _TLS_PORT
        if not encrypted and client.has_extn("starttls"):
            client.starttls(context=ssl.create_default_context())
            client.ehlo()
            encrypted = True
        if not encrypted and (self._must_encrypt or self._mail.password):
            raise AddressRefused("the relay offers no TLS")
        if self._mail.user and self._mail.password:
            client.login(self._mail.user, self._mail.password)
        return self._hand_in(client)

    def _hand_in(self, client: smtplib.SMTP) -> Outcome:
        for code, _ in (self._from(client), client.rcpt(self._mail.envelope_to)):
            if code not in (250, 251):
                return _verdict(code)
        code, _ = client.docmd("DATA")
        if code != 354:
            return _verdict(code)
        assert client.sock is not None
        client.sock.settimeout(limits.OUTGOING_SECONDS)
        self._begin()
        client.send(_dotted(self._mail.content))
        code, _ = client.getreply()
        return Sent(self._mail.message_id) if code == 250 else _verdict(code)

    def _from(self, client: smtplib.SMTP) -> tuple[int, bytes]:
        return client.mail(self._mail.envelope_from)


def _dotted(content: bytes) -> bytes:
    """Return the text as it goes over the wire: CRLF, leading dots doubled, and the end."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n").split(b"\n")
    stuffed = (b"." + line if line.startswith(b".") else line for line in lines)
    return b"\r\n".join(stuffed) + b"\r\n.\r\n"


def _verdict(code: int) -> Outcome:
    if 400 <= code < 500:
        return Later(f"SMTP {code}")
    return Refused(f"SMTP {code}")


class _Plain(smtplib.SMTP):
    """Connects to the judged address; the certificate is still checked for the host's name."""

    def __init__(self, address: str, **options: Any) -> None:
        self._address = address
        super().__init__(local_hostname="throughline", **options)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        self._host = host  # what starttls checks the certificate against
        return socket.create_connection((self._address, port), timeout)


class _ImplicitTls(_Plain):
    """The same with TLS from the first byte (RFC 8314)."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = super()._get_socket(host, port, timeout)
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
