"""A reply by web chat goes to our own history, and only what a widget can show."""

from typing import Any

import pytest

from services.ingest.accounts import Door
from services.ingest.domain.chat import TEXT
from services.ingest.outgoing import Guard
from services.ingest.replies.sending import attempt
from services.ingest.senders.contract import File, NotSendable, Outcome, Own, Reply, Sent, Unclear
from services.ingest.senders.registry import SENDERS
from shared.errors import Unavailable
from tests.support.builders_ingest import ACCOUNTS, DOORS, NOW
from tests.support.chat import reply

SESSION = f"chat_{'0' * 32}"
SENDER = SENDERS["webchat"]
DOOR = Door(DOORS["webchat", "main"].adapter, ACCOUNTS["webchat"], SENDER)


def compose(session: str | None = SESSION, text: str = "Good day", **more: Any) -> Any:
    given = reply(session or "", text, reply_to=session, **more)
    return SENDER.compose(given, ACCOUNTS["webchat"])


async def taken(given: Reply) -> Outcome:
    return Sent(given.reply_id)


async def lost(given: Reply) -> Outcome:
    raise Unavailable("MongoDB does not answer.", "Try again.")


async def test_a_reply_is_handed_to_our_own_chat_and_nobody_is_called() -> None:
    composed = compose(reply_id="reply-7")
    assert isinstance(composed, Own)
    assert await attempt(Guard([]), DOOR, composed, taken, NOW) == Sent("reply-7")


def test_a_file_alone_is_shown_too() -> None:
    files = (File("https://files.example.com/map.png", "image/png"),)
    assert compose(text="", files=files).reply.files == files


async def test_what_may_have_been_taken_is_unclear_and_may_be_repeated() -> None:
    assert isinstance(await attempt(Guard([]), DOOR, compose(), lost, NOW), Unclear)
    assert SENDER.repeatable


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"session": None}, "no chat session"),
        ({"session": "ana@example.si"}, "no chat session"),
        ({"text": "  "}, "nothing to say"),
        ({"text": "x" * (TEXT + 1)}, "at most"),
        ({"files": (File("blob:1"),)}, "https"),
    ],
)
def test_what_a_widget_cannot_show_is_refused_with_a_reason(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NotSendable, match=reason):
        compose(**changes)
