"""Vonage's way out: the exact request, and what its answers mean."""

import base64
import json
from datetime import timedelta

import pytest

from services.ingest.senders.contract import (
    Answer,
    File,
    Later,
    NotSendable,
    Refused,
    Sent,
    Unclear,
)
from services.ingest.senders.vonage import VonageSender
from tests.support.builders_replies import reply, sending_account

ACCOUNT = sending_account(
    "vonage", secrets={"api_secret": "the-api-secret"}, **{"from": "+38615550101"}
)
SENDER = VonageSender()
PICTURE = File("https://files.example.com/a.png", "image/png")


def test_a_reply_is_one_json_to_the_messages_api() -> None:
    call = SENDER.compose(reply(), ACCOUNT)
    assert (call.method, call.url) == ("POST", "https://api.nexmo.com/v1/messages")
    credentials = base64.b64encode(b"abcd1234:the-api-secret").decode()
    assert call.headers == {
        "authorization": f"Basic {credentials}",
        "content-type": "application/json",
    }
    assert json.loads(call.body) == {
        "channel": "sms",
        "to": "38640123456",
        "from": "38615550101",
        "client_ref": "reply-1",
        "message_type": "text",
        "text": "We open at nine. 👋",
    }


def test_no_secret_shows_in_a_calls_repr() -> None:
    assert "Basic" not in repr(SENDER.compose(reply(), ACCOUNT))


def test_an_answer_goes_out_on_the_carrier_it_came_on() -> None:
    call = SENDER.compose(reply(reply_to="whatsapp:38640123456", files=(PICTURE,)), ACCOUNT)
    sent = json.loads(call.body)
    assert (sent["channel"], sent["message_type"]) == ("whatsapp", "image")
    assert sent["image"] == {"url": PICTURE.reference, "caption": "We open at nine. 👋"}


CAPTIONS = [
    ("mms", "image/png", True),
    ("mms", "audio/mpeg", True),
    ("whatsapp", "video/mp4", True),
    ("whatsapp", "application/pdf", True),
    ("whatsapp", "audio/ogg", False),
    ("viber_service", "image/png", True),
    ("viber_service", "application/pdf", False),
    ("messenger", "image/png", False),
    ("rcs", "image/png", False),
]


@pytest.mark.parametrize(("carrier", "media_type", "captioned"), CAPTIONS)
def test_a_file_goes_alone_and_with_a_text_where_the_carrier_shows_it(
    carrier: str, media_type: str, captioned: bool
) -> None:
    file = File("https://files.example.com/a", media_type)
    there = {"reply_to": f"{carrier}:38640123456", "files": (file,)}
    sent = json.loads(SENDER.compose(reply(**there, text=""), ACCOUNT).body)
    assert sent[sent["message_type"]] == {"url": file.reference}
    if captioned:
        sent = json.loads(SENDER.compose(reply(**there), ACCOUNT).body)
        assert sent[sent["message_type"]]["caption"] == "We open at nine. 👋"
    else:
        with pytest.raises(NotSendable, match="one after the other"):
            SENDER.compose(reply(**there), ACCOUNT)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"contact_points": ("email:ana@example.com",)}, "telephone number"),
        ({"files": (PICTURE,)}, "no SMS"),
        ({"text": ""}, "a text, or"),
        ({"reply_to": "whatsapp:1", "files": (File("blob:1"),)}, "https address"),
        ({"reply_to": "whatsapp:1", "files": (PICTURE, PICTURE)}, "one file"),
    ],
)
def test_what_vonage_cannot_send_is_said(changes: dict[str, object], why: str) -> None:
    with pytest.raises(NotSendable, match=why):
        SENDER.compose(reply(**changes), ACCOUNT)


def test_a_taken_message_is_known_by_its_uuid() -> None:
    assert SENDER.read(Answer(202, b'{"message_uuid":"aaaa-01"}')) == Sent("aaaa-01")


def test_when_vonage_is_busy_or_broken_it_is_tried_later() -> None:
    assert SENDER.read(Answer(429, b"", {"retry-after": "2"})) == Later(
        "HTTP 429", timedelta(seconds=2)
    )
    assert SENDER.read(Answer(503)) == Later("HTTP 503", None)
    assert SENDER.read(Answer(502)) == Unclear("HTTP 502")


def test_a_refusal_gives_the_problems_title() -> None:
    body = b'{"type":"https://developer.vonage.com/x","title":"Invalid params","detail":"to"}'
    assert SENDER.read(Answer(422, body)) == Refused("Vonage: Invalid params")
    assert SENDER.read(Answer(401, b"")) == Refused("HTTP 401")
