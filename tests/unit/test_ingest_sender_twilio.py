"""Twilio's way out: the exact request, and what its answers mean."""

import base64
import json
from datetime import timedelta
from urllib.parse import parse_qsl

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
from services.ingest.senders.twilio import TwilioSender
from tests.support.builders_ingest import PUBLIC_URL
from tests.support.builders_replies import reply, sending_account

ACCOUNT = sending_account("twilio", secrets={}, account_sid="AC01", **{"from": "+38615550101"})
SENDER = TwilioSender()


def test_a_reply_is_one_form_to_the_messages_resource() -> None:
    call = SENDER.compose(reply(), ACCOUNT)
    assert call.method == "POST"
    assert call.url == "https://api.twilio.com/2010-04-01/Accounts/AC01/Messages.json"
    credentials = base64.b64encode(b"AC01:auth-token").decode()
    assert call.headers["authorization"] == f"Basic {credentials}"
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(call.body.decode()) == [
        ("To", "+38640123456"),
        ("From", "+38615550101"),
        ("Body", "We open at nine. 👋"),
        ("StatusCallback", PUBLIC_URL),
    ]


def test_no_secret_shows_in_a_calls_repr() -> None:
    assert "auth-token" not in repr(SENDER.compose(reply(), ACCOUNT))
    assert "Basic" not in repr(SENDER.compose(reply(), ACCOUNT))


def test_an_answer_over_whatsapp_goes_out_over_whatsapp() -> None:
    call = SENDER.compose(reply(reply_to="whatsapp:+38640123456"), ACCOUNT)
    fields = dict(parse_qsl(call.body.decode()))
    assert (fields["To"], fields["From"]) == ("whatsapp:+38640123456", "whatsapp:+38615550101")


def test_a_messaging_service_picks_the_number_itself() -> None:
    account = sending_account("twilio", secrets={}, account_sid="AC01", **{"from": "MG01"})
    fields = dict(parse_qsl(SENDER.compose(reply(), account).body.decode()))
    assert fields["MessagingServiceSid"] == "MG01"
    assert "From" not in fields


def test_files_go_by_their_address() -> None:
    files = (File("https://files.example.com/a.png"), File("https://files.example.com/b.png"))
    fields = parse_qsl(SENDER.compose(reply(text="", files=files), ACCOUNT).body.decode())
    assert [value for name, value in fields if name == "MediaUrl"] == [f.reference for f in files]
    assert "Body" not in dict(fields)


def test_a_text_and_files_go_together() -> None:
    file = File("https://files.example.com/a.png")
    fields = dict(parse_qsl(SENDER.compose(reply(files=(file,)), ACCOUNT).body.decode()))
    assert (fields["Body"], fields["MediaUrl"]) == ("We open at nine. 👋", file.reference)


@pytest.mark.parametrize("carrier", ["whatsapp", "rcs", "messenger"])
def test_only_a_number_gets_more_than_one_file(carrier: str) -> None:
    file = File("https://files.example.com/a.png")
    there = {"reply_to": f"{carrier}:+38640123456", "text": ""}
    call = SENDER.compose(reply(**there, files=(file,)), ACCOUNT)
    assert dict(parse_qsl(call.body.decode()))["MediaUrl"] == file.reference
    with pytest.raises(NotSendable, match="one file here"):
        SENDER.compose(reply(**there, files=(file, file)), ACCOUNT)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"contact_points": ("email:ana@example.com",)}, "telephone number"),
        ({"files": (File("blob:1"),)}, "https address"),
        ({"text": ""}, "a text, or"),
        ({"files": (File("https://files.example.com/a"),) * 11}, "up to 10 files"),
    ],
)
def test_what_twilio_cannot_send_is_said(changes: dict[str, object], why: str) -> None:
    with pytest.raises(NotSendable, match=why):
        SENDER.compose(reply(**changes), ACCOUNT)


def test_a_taken_message_is_known_by_its_sid() -> None:
    assert SENDER.read(Answer(201, b'{"sid":"SM90","status":"queued"}')) == Sent("SM90")


def test_when_twilio_is_busy_or_broken_it_is_tried_later() -> None:
    assert SENDER.read(Answer(429, b"", {"retry-after": "7"})) == Later(
        "HTTP 429", timedelta(seconds=7)
    )
    assert SENDER.read(Answer(503, b"<html>")) == Later("HTTP 503", None)
    for_a_day = Answer(429, b"", {"retry-after": "86400"})
    assert SENDER.read(for_a_day) == Later("HTTP 429", timedelta(hours=1))


def test_a_refusal_gives_twilios_error_code_only() -> None:
    body = json.dumps({"code": 21610, "message": "+38640123456 has opted out", "status": 400})
    assert SENDER.read(Answer(400, body.encode())) == Refused("Twilio error 21610")
    assert SENDER.read(Answer(400, b"not json")) == Refused("HTTP 400")


def test_a_good_answer_without_an_id_cannot_be_followed_up() -> None:
    assert isinstance(SENDER.read(Answer(201, b"{}")), Unclear)


def test_when_nobody_knows_whether_it_was_sent_that_is_said() -> None:
    assert SENDER.read(Answer(500)) == Unclear("HTTP 500")


def test_a_picture_is_fetched_with_our_credentials_from_twilio_only() -> None:
    own = "https://api.twilio.com/2010-04-01/Accounts/AC01"
    call = SENDER.download(f"{own}/Messages/MM1/Media/ME1", ACCOUNT)
    assert call is not None
    assert (call.method, call.headers["authorization"][:6]) == ("GET", "Basic ")
    assert SENDER.download(f"{own}/Recordings/RE1.mp3", ACCOUNT) is not None
    assert SENDER.download(f"{own}/Calls/CA1/Recordings/RE1", ACCOUNT) is not None
    elsewhere = own.replace("twilio.com", "twilio.com.example.com")
    assert SENDER.download(f"{elsewhere}/Messages/MM1/Media/ME1", ACCOUNT) is None


@pytest.mark.parametrize(
    "path",
    [
        "AC01.json",
        "AC01/Messages.json",
        "AC01/Messages/MM1.json",
        "AC01/Keys.json",
        "AC02/Messages/MM1/Media/ME1",
        "AC01/Messages/MM1/Media/../../../Keys.json",
        "AC01/Messages/MM1/Media/ME1?x=/Keys",
        "AC01/Recordings/RE1/AddOnResults",
    ],
)
def test_our_credentials_fetch_nothing_but_our_own_pictures_and_recordings(path: str) -> None:
    assert SENDER.download(f"https://api.twilio.com/2010-04-01/Accounts/{path}", ACCOUNT) is None
