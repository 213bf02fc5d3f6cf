"""What comes after DATA: one mail, in chunks that are cut anywhere (RFC 5321 §4.1.1.4, §4.5.2).

Nothing is done line by line, everything in C for a whole chunk, and the loop turns between two:
a mail may be millions of empty lines. Only CRLF ends a line, and only a lone dot on such a line
ends the mail. A relay that saw an end where we see none, or the other way round, could be made to
pass on a mail that hides in another.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from aiosmtpd.smtp import SMTP, syntax

from services.ingest.domain import limits

_LINE_END = b"\r\n"
_END = b"\r\n.\r\n"
_ALL = sys.maxsize  # of what is there: then the rest can be put back in order
_TOO_SLOW = b"421 4.4.2 Nothing came for too long, try again\r\n"
_TOO_LARGE = "552 5.3.4 Too large"


class MailData:
    """One mail as it comes: its lines without the dots that were put before dots.

    Beyond `limit` bytes as sent, with these dots and without the end, nothing of it is held.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._content = bytearray()  # chunks of a byte each would take 40 times the mail
        self._held = _LINE_END  # that of DATA itself: the first line may begin with a dot
        self._size = -len(_LINE_END)

    def take(self, chunk: bytes) -> bytes | None:
        """Take what came; once the mail is whole, return what came behind its end."""
        coming = self._held + chunk
        end = coming.find(_END)
        if end >= 0:
            self._keep(coming[: end + len(_LINE_END)])
            return coming[end + len(_END) :]
        self._held = _begun(coming)
        self._keep(coming[: len(coming) - len(self._held)])
        return None

    def _keep(self, lines: bytes) -> None:
        """Keep bytes behind which no line begins with a dot: such an end is held back."""
        self._size += len(lines)
        if self._size > self._limit:
            self._content.clear()
        else:
            self._content += lines.replace(b"\r\n.", b"\r\n")

    def content(self) -> bytes | None:
        """Return the whole mail, None if it is too large."""
        if self._size > self._limit:
            return None
        with memoryview(self._content) as whole:
            return bytes(whole[len(_LINE_END) :])


def _begun(coming: bytes) -> bytes:
    """Return the longest beginning of the end mark with which the bytes end."""
    starts = (_END[:length] for length in range(len(_END) - 1, 0, -1))
    return next((start for start in starts if coming.endswith(start)), b"")


async def read_data(
    reader: asyncio.StreamReader, limit: int, received: Callable[[], None]
) -> bytes | None:
    """Return the mail that comes next, None if it has more than `limit` bytes as sent.

    It is read to its end in any case; what follows stays in the reader. `received` is called
    whenever some of it came.
    """
    data = MailData(limit)
    while (rest := data.take(await _chunk(reader))) is None:
        received()  # and the loop turns: there is nothing more until others had their turn
    reader.feed_data(rest)  # the reader is empty: nothing was awaited since
    received()
    return data.content()


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    chunk = await reader.read(_ALL)
    if not chunk:
        raise asyncio.CancelledError  # hung up: aiosmtpd ends a session so
    return chunk


class DataServer(SMTP):
    """SMTP or LMTP that reads mails by chunks, and gives a slow one its time.

    Of what is not read yet it holds twice `MAIL_BUFFER` and what one look at the network brought
    (256 KiB). A relay that is silent for the idle time is told to try again, and hung up on.
    """

    line_length_limit = limits.MAIL_BUFFER  # aiosmtpd's name for what a stream may hold

    @syntax("DATA")
    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd names it
        """Read a mail and hand it on, once somebody is named whom it is for."""
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Name a recipient first")
        elif arg:
            await self.push("501 5.5.4 Say DATA and nothing more")
        else:
            await self.push("354 Go on, end with a dot on a line of its own")
            await self._hand_on(await self._read())

    async def _read(self) -> bytes | None:
        try:
            async with asyncio.timeout(limits.MAIL_DATA_SECONDS):
                return await read_data(self._reader, limits.MAIL, self._reset_timeout)
        except TimeoutError:
            self._timeout_cb()
            raise asyncio.CancelledError from None  # what still comes of it is no command

    async def _hand_on(self, content: bytes | None) -> None:
        assert self.envelope is not None
        self.envelope.content = self.envelope.original_content = content
        answer = _TOO_LARGE if content is None else await self._call_handler_hook("DATA")
        self.envelope = self._create_envelope()
        await self.push(answer)

    async def push(self, status: Any) -> None:
        """Send an answer, then let the loop turn: a thousand commands may have come at once."""
        await super().push(status)
        await asyncio.sleep(0)

    def _timeout_cb(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self._writer.write(_TOO_SLOW)
            self.transport.close()
