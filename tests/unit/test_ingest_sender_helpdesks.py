"""The helpdesks' ways out: the exact requests, and what their answers mean."""

import base64
import json
from typing import Any

import pytest

from services.ingest.senders.contract import (
    Answer,
    File,
    Later,
    NotSendable,
    Refused,
    Sender,
    Sent,
    Unclear,
)
from services.ingest.senders.registry import SENDERS
from tests.support.builders_replies import reply, sending_account

TEXT = "We open at nine. 👋"
PICTURE = File("https://files.example.com/a.png", "image/png")
ACCOUNTS = {
    "chatwoot": sending_account("chatwoot", secrets={"api_access_token": "t0"}, account_id="1"),
    "freshchat": sending_account("freshchat", secrets={"api_token": "t0"}, agent_id="fba1"),
    "intercom": sending_account("intercom", secrets={"access_token": "t0"}, admin_id="3156780"),
    "zendesk": sending_account(
        "zendesk",
        secrets={"api_token": "t0"},
        api_user="desk@example.com",
        api_url="https://example.zendesk.com",
    ),
}
CREDENTIALS = base64.b64encode(b"desk@example.com/token:t0").decode()
REQUESTS: dict[str, tuple[str, str, dict[str, str], dict[str, Any]]] = {
    "chatwoot": (
        "POST",
        "https://app.chatwoot.com/api/v1/accounts/1/conversations/12/messages",
        {"api_access_token": "t0"},
        {
            "content": TEXT,
            "message_type": "outgoing",
            "private": False,
            "content_attributes": {"in_reply_to": 101},
        },
    ),
    "freshchat": (
        "POST",
        "https://api.freshchat.com/v2/conversations/12/messages",
        {"authorization": "Bearer t0"},
        {
            "message_parts": [{"text": {"content": TEXT}}],
            "message_type": "normal",
            "actor_type": "agent",
            "actor_id": "fba1",
        },
    ),
    "intercom": (
        "POST",
        "https://api.intercom.io/conversations/12/reply",
        {"authorization": "Bearer t0", "accept": "application/json"},
        {"message_type": "comment", "type": "admin", "admin_id": "3156780", "body": TEXT},
    ),
    "zendesk": (
        "PUT",
        "https://support.zendesk.com/api/v2/tickets/12.json",
        {"authorization": f"Basic {CREDENTIALS}"},
        {"ticket": {"comment": {"body": TEXT, "public": True}}},
    ),
}
ANSWERS = {
    "chatwoot": {"id": 501, "content": TEXT},
    "freshchat": {"id": "501", "message_parts": []},
    "intercom": {
        "conversation_parts": {
            "conversation_parts": [
                {"id": "500", "part_type": "comment"},
                {"id": "501", "part_type": "comment"},
                {"id": "502", "part_type": "assignment"},
            ]
        }
    },
    "zendesk": {
        "ticket": {"id": 12},
        "audit": {"events": [{"id": 501, "type": "Comment"}, {"id": 502, "type": "Notification"}]},
    },
}


@pytest.fixture(params=REQUESTS)
def desk(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def sender(desk: str) -> Sender:
    return SENDERS[desk]


def test_a_reply_is_one_request(desk: str) -> None:
    call = sender(desk).compose(reply(reply_to="12", in_reply_to="101"), ACCOUNTS[desk])
    method, url, headers, body = REQUESTS[desk]
    assert (call.method, call.url) == (method, url)
    assert call.headers == {"content-type": "application/json", **headers}
    assert json.loads(call.body) == body
    assert "t0" not in repr(call)


def test_the_answer_names_the_message_as_its_echo_will(desk: str) -> None:
    answer = Answer(200, json.dumps(ANSWERS[desk]).encode())
    assert sender(desk).read(answer) == Sent("501")


def test_an_answer_without_an_id_leaves_it_unclear(desk: str) -> None:
    for body in (b"{}", b"", b"not json", b'{"id": null}'):
        assert isinstance(sender(desk).read(Answer(200, body)), Unclear)


def test_other_answers_say_whether_to_try_again(desk: str) -> None:
    assert isinstance(sender(desk).read(Answer(429, headers={"retry-after": "9"})), Later)
    assert isinstance(sender(desk).read(Answer(503)), Later)
    assert isinstance(sender(desk).read(Answer(500)), Unclear)
    for status in (400, 401, 403, 404, 422):
        assert isinstance(sender(desk).read(Answer(status, b'{"error": "RecordInvalid"}')), Refused)


def test_a_conversation_nobody_named_cannot_be_answered(desk: str) -> None:
    with pytest.raises(NotSendable, match="conversation"):
        sender(desk).compose(reply(), ACCOUNTS[desk])


def test_a_conversations_id_cannot_leave_its_place_in_the_path(desk: str) -> None:
    call = sender(desk).compose(reply(reply_to="../../users/1?x=#"), ACCOUNTS[desk])
    assert "..%2F..%2Fusers%2F1%3Fx%3D%23" in call.url


def test_an_empty_reply_is_not_sent(desk: str) -> None:
    with pytest.raises(NotSendable):
        sender(desk).compose(reply(reply_to="12", text=""), ACCOUNTS[desk])


def test_freshchat_takes_an_image_alone_and_intercom_beside_a_text_only() -> None:
    alone = reply(reply_to="12", text="", files=(PICTURE,))
    parts = json.loads(sender("freshchat").compose(alone, ACCOUNTS["freshchat"]).body)
    assert parts["message_parts"] == [{"image": {"url": PICTURE.reference}}]
    with pytest.raises(NotSendable, match="a text with"):
        sender("intercom").compose(alone, ACCOUNTS["intercom"])


def test_images_go_by_their_address() -> None:
    given = reply(reply_to="12", files=(PICTURE,))
    intercom = json.loads(sender("intercom").compose(given, ACCOUNTS["intercom"]).body)
    assert intercom["attachment_urls"] == [PICTURE.reference]
    freshchat = json.loads(sender("freshchat").compose(given, ACCOUNTS["freshchat"]).body)
    assert freshchat["message_parts"][1] == {"image": {"url": PICTURE.reference}}
    with pytest.raises(NotSendable, match="https address"):
        sender("intercom").compose(
            reply(reply_to="12", files=(File("blob:1"),)), ACCOUNTS["intercom"]
        )
