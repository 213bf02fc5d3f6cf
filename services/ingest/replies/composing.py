"""A reply put in its provider's words, with the bytes of its files where its sender needs them.

Bytes are held while the reply is on its way, so there is only so much room for them: in all, and
for each channel account.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Protocol

from services.ingest.accounts import Door
from services.ingest.domain import limits
from services.ingest.domain.gate import Gate
from services.ingest.senders.contract import (
    Answer,
    Call,
    Composed,
    File,
    NotSendable,
    Reply,
    Sender,
)
from services.ingest.store import Document

Ask = Callable[[Call], Awaitable[Answer]]
"""Makes a preparatory call and returns its good answer."""


class FileSource(Protocol):
    """Gets the bytes of a file by reference."""

    async def get(self, reference: str, door: Door) -> tuple[str, bytes]:
        """Return its media type and bytes, or raise `FetchFailed`."""
        ...


def room_for_files(gate: Gate, reply: Document, sender: Sender) -> AbstractContextManager[object]:
    """Hold room for a reply's files while the block runs, if their bytes go along; raise `Busy`."""
    if not sender.carries or not reply["content"]["files"]:
        return nullcontext()
    return gate.enter(f"{reply['provider']}/{reply['account']}", limits.REPLY_FILES_SIZE)


async def compose(
    reply: Reply, door: Door, sender: Sender, source: FileSource, ask: Ask
) -> Composed:
    """Return the call or mail that sends a reply, once its preparatory calls are made.

    Raises `NotSendable`, `FetchFailed`, and what `ask` raises.
    """
    if sender.carries and reply.files:
        reply = replace(reply, files=await _with_content(reply.files, door, source))
    answers: list[Answer] = []
    while call := sender.prepare(reply, door.account, answers):
        if len(answers) == limits.REPLY_PREPARATIONS:
            raise NotSendable("it would take too many preparatory calls")
        answers.append(await ask(call))
    return sender.compose_prepared(reply, door.account, answers)


async def _with_content(
    files: tuple[File, ...], door: Door, source: FileSource
) -> tuple[File, ...]:
    """Get one file after the other, and no more once they are too large together."""
    complete: list[File] = []
    left = limits.REPLY_FILES_SIZE
    for file in files:
        _, content = await source.get(file.reference, door)
        left -= len(content)
        if left < 0:
            raise NotSendable("the files are too large together")
        complete.append(replace(file, content=content))
    return tuple(complete)
