"""Composing a reply: how many bytes of files it holds."""

from contextlib import ExitStack
from typing import Any

import pytest

from services.ingest.accounts import Door
from services.ingest.domain import limits
from services.ingest.domain.gate import Busy, Gate
from services.ingest.replies.composing import compose, room_for_files
from services.ingest.senders.contract import Answer, Call, File, NotSendable, Reply
from services.ingest.senders.email import EmailSender
from services.ingest.senders.whatsapp import WhatsAppSender
from tests.support.builders_ingest import NOW
from tests.support.builders_outbox import doors, reply_to
from tests.support.builders_replies import reply

DOOR = doors("http://127.0.0.1:1")[("email", "support")]
FILES = tuple(File(f"blob:{number}") for number in range(10))


class Source:
    """Gives files of one size, and counts what it gave."""

    def __init__(self, size: int) -> None:
        self.size, self.given = size, 0

    async def get(self, reference: str, door: Door) -> tuple[str, bytes]:
        self.given += self.size
        return "application/octet-stream", bytes(self.size)


async def nobody(call: Call) -> Answer:
    raise AssertionError("a mail needs no preparatory call")


def mail(**changes: Any) -> Reply:
    return reply(contact_points=("email:ana@example.si",), files=FILES, **changes)


def gate() -> Gate:
    return Gate(limits.REPLY_FILES_HELD, limits.REPLY_FILES_HELD_EACH)


def with_files(account: str) -> dict[str, Any]:
    return {**reply_to(1, NOW, files=FILES), "account": account}


async def test_files_too_large_together_are_not_all_fetched_to_see_that() -> None:
    source = Source(limits.REPLY_FILES_SIZE // 2)
    with pytest.raises(NotSendable, match="too large"):
        await compose(mail(), DOOR, EmailSender(), source, nobody)
    assert source.given <= 2 * limits.REPLY_FILES_SIZE


async def test_replies_with_files_find_room_for_so_many_bytes_and_no_more() -> None:
    one = gate()
    with ExitStack() as held:
        for account in ("a", "a", "b"):
            held.enter_context(room_for_files(one, with_files(account), EmailSender()))
        with pytest.raises(Busy), room_for_files(one, with_files("a"), EmailSender()):
            pass
        held.enter_context(room_for_files(one, with_files("b"), EmailSender()))
        with pytest.raises(Busy), room_for_files(one, with_files("c"), EmailSender()):
            pass
    with room_for_files(one, with_files("c"), EmailSender()):
        pass


async def test_a_reply_whose_files_go_by_reference_needs_no_room() -> None:
    full = Gate(total=0)
    with room_for_files(full, with_files("main"), WhatsAppSender()):
        pass
    without = {**with_files("a"), "content": {"files": []}}
    with room_for_files(full, without, EmailSender()):
        pass
