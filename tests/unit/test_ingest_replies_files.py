"""A reply is a text, files, or both: what every way out takes, and what is told of it."""

import json
from typing import Any

import pytest

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.replies.events import event_of
from services.ingest.senders.registry import SENDERS
from services.ingest.store import REPLIES
from shared.events import Event
from shared.http import ApiError
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW
from tests.support.builders_ingest import request as hook_request
from tests.support.ways_out import Desk

PICTURE = {"reference": "https://files.example.com/map.png", "media_type": "image/png"}
PAPER = {"reference": "https://files.example.com/a.pdf", "media_type": "application/pdf"}
TEXT = "We open at nine. 👋"
BOTH, EITHER, BESIDE, TEXT_ONLY = "both", "either", "beside", "text only"
TAKES = {
    "chatwoot": BOTH,
    "email": BOTH,
    "freshchat": BOTH,
    "instagram": EITHER,
    "intercom": BESIDE,
    "line": BOTH,
    "mailgun": BOTH,
    "messenger": EITHER,
    "postmark": BESIDE,
    "sendgrid": BESIDE,
    "ses": BOTH,
    "slack": BOTH,
    "telegram": BOTH,
    "twilio": BOTH,
    "viber": BOTH,
    "vonage": TEXT_ONLY,  # by SMS; its own tests have the other carriers
    "webchat": BOTH,
    "whatsapp": BOTH,
    "x": BOTH,
    "zendesk": BESIDE,
}
"""An image alone and with a text; `either` is not together, `beside` is never alone."""
INSTEAD = ("a text", "send a link", "one after the other")


async def is_refused(provider: str, **body: Any) -> ApiError:
    """Return why a reply was refused, and see that nothing is left of it."""
    desk = Desk()
    with pytest.raises(ApiError) as refused:
        await desk.sends(provider, **body)
    assert refused.value.status == 422
    assert REPLIES not in desk.documents.collections
    assert desk.woken == 0
    return refused.value


async def is_taken_or_refused(provider: str, takes: bool, **body: Any) -> None:
    if takes:
        desk = Desk()
        taken = await desk.sends(provider, **body)
        assert desk.documents.collections[REPLIES] == {taken["_id"]: taken}
        assert desk.woken == 1
        return
    error = await is_refused(provider, **body)
    assert error.code == "not-sendable"
    assert any(words in error.message for words in INSTEAD)


def test_every_way_out_says_what_it_takes() -> None:
    assert TAKES.keys() == SENDERS.keys()


@pytest.mark.parametrize("provider", TAKES)
async def test_a_text_goes_out_everywhere(provider: str) -> None:
    await is_taken_or_refused(provider, True, text=TEXT)


@pytest.mark.parametrize(("provider", "takes"), TAKES.items())
async def test_a_file_alone_goes_out_or_is_refused_with_what_goes_instead(
    provider: str, takes: str
) -> None:
    await is_taken_or_refused(provider, takes in (BOTH, EITHER), attachments=[PICTURE])


@pytest.mark.parametrize(("provider", "takes"), TAKES.items())
async def test_a_text_with_a_file_goes_out_or_is_refused_with_what_goes_instead(
    provider: str, takes: str
) -> None:
    together = takes in (BOTH, BESIDE)
    await is_taken_or_refused(provider, together, text=TEXT, attachments=[PICTURE])


@pytest.mark.parametrize("nothing", [{}, {"attachments": []}, {"text": None}])
async def test_a_reply_with_neither_text_nor_file_is_refused(nothing: dict[str, Any]) -> None:
    error = await is_refused("email", **nothing)
    assert error.code == "reply-empty"
    assert "neither a text nor an attachment" in error.message


@pytest.mark.parametrize("more", [{"html": "<p>Here</p>"}, {"template": "on_its_way"}])
async def test_what_a_text_stands_for_cannot_go_without_it(more: dict[str, Any]) -> None:
    error = await is_refused("whatsapp", attachments=[PICTURE], **more)
    assert error.code == "text-missing"
    assert next(iter(more)) in error.fix


async def test_a_text_that_shows_nothing_is_refused_beside_a_file_too() -> None:
    assert (await is_refused("email", text=" ", attachments=[PICTURE])).code == "text-empty"


async def sent(provider: str, **body: Any) -> Any:
    """Return what is told once a reply is sent."""
    taken = await Desk().sends(provider, **body)
    event: Event = event_of({**taken, "state": "sent", "message_id": "m-1", "settled_at": NOW})
    return event.data


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        ("image/png", "image"),
        ("audio/mpeg", "audio"),
        ("video/mp4", "video"),
        ("application/pdf", "document"),
        ("text/csv", "document"),
    ],
)
async def test_a_file_alone_is_told_by_what_it_is(media_type: str, kind: str) -> None:
    told = await sent("messenger", attachments=[{**PICTURE, "media_type": media_type}])
    assert (told.kind, told.text) == (kind, None)
    assert [file.media_type for file in told.attachments] == [media_type]


async def test_the_first_of_several_files_says_what_the_message_is() -> None:
    assert (await sent("email", attachments=[PAPER, PICTURE])).kind == "document"


async def test_a_text_makes_a_message_a_text_whatever_goes_with_it() -> None:
    told = await sent("email", text=TEXT, attachments=[PICTURE])
    assert (told.kind, told.text, len(told.attachments)) == ("text", TEXT, 1)


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("image", "image/png"), ("audio", "audio/mpeg"), ("video", "video/mp4"), ("file", "x/y")],
)
async def test_metas_echo_of_a_file_and_our_own_word_of_it_name_the_same_kind(
    kind: str, media_type: str
) -> None:
    attachment = {"type": kind, "payload": {"url": PICTURE["reference"]}}
    body = echo_of({"mid": "m-1", "is_echo": True, "app_id": 1, "attachments": [attachment]})
    [echo] = (
        ADAPTERS["messenger"]
        .parse(hook_request("messenger", body), ACCOUNTS["messenger"], NOW, IDS)
        .events
    )
    own = await sent("messenger", attachments=[{**PICTURE, "media_type": media_type}])
    assert echo.data.kind == own.kind  # type: ignore[attr-defined]


def echo_of(message: dict[str, Any]) -> bytes:
    item = {
        "sender": {"id": "900100"},
        "recipient": {"id": "700200300400500"},
        "timestamp": 1762160400000,
        "message": message,
    }
    entry = {"id": "900100", "time": 1762160400000, "messaging": [item]}
    return json.dumps({"object": "page", "entry": [entry]}).encode()
