"""Files on their way out: what goes up first, and which message names it then."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import pytest

from services.ingest.adapters.payloads.forms import Form, read_form
from services.ingest.adapters.request import RawRequest
from services.ingest.domain.outcomes import Later, Refused, Sent, Unclear
from services.ingest.senders.contract import Answer, Call, File, NotSendable, Reply
from services.ingest.senders.registry import SENDERS
from tests.support.builders_replies import reply, sending_account

TEXT = "We open at nine. 👋"
ACCOUNTS = {
    "chatwoot": sending_account("chatwoot", secrets={"api_access_token": "t0"}, account_id="1"),
    "slack": sending_account("slack", secrets={"bot_token": "xoxb-sl"}),
    "viber": sending_account("viber", secrets={}, sender_name="Example Shop"),
    "x": sending_account("x", secrets={"access_token": "xx"}),
    "zendesk": sending_account(
        "zendesk",
        secrets={"api_token": "t0"},
        api_user="desk@example.com",
        api_url="https://example.zendesk.com",
    ),
}
TO = {
    "chatwoot": "12",
    "slack": "C0HELP/1762160400.000400",
    "viber": "01234567890A==",
    "x": "dm:3805104374",
    "zendesk": "12",
}
PAPER = File("blob:b-1#2", "application/pdf", "račun 7.pdf", b"%PDF-1.7 \x00\r\n--")
MAP = File("https://files.example.com/a/map.png?v=2", "image/png", None, b"\x89PNG\r\n\x1a\n")
FILM = File("https://files.example.com/tour.mp4", "video/mp4", "tour.mp4", b"film" * 256)
PREPARED = ("slack", "x", "zendesk")
UPLOAD_URL = "https://files.slack.com/upload/v1/CwABAAAA"


def answered(status: int = 200, **body: Any) -> Answer:
    return Answer(status, json.dumps(body).encode())


def slacks_place(number: int = 1) -> Answer:
    return answered(ok=True, upload_url=f"{UPLOAD_URL}{number}", file_id=f"F{number}")


UPLOADED = Answer(200, b"OK - 14")
ANSWERS: dict[str, Sequence[Answer]] = {
    "slack": (slacks_place(), UPLOADED),
    "x": (answered(data={"id": "1146654567674912769", "media_key": "3_1"}),),
    "zendesk": (answered(201, upload={"token": "6bk3gql82em5nmf", "attachment": {}}),),
}


def answering(provider: str, **changes: Any) -> Reply:
    return reply(**{"reply_to": TO[provider], "files": (MAP,), **changes})


def prepare(provider: str, *answers: Answer, **changes: Any) -> Call | None:
    return SENDERS[provider].prepare(answering(provider, **changes), ACCOUNTS[provider], answers)


def needed(provider: str, *answers: Answer, **changes: Any) -> Call:
    call = prepare(provider, *answers, **changes)
    assert call is not None
    return call


def compose(provider: str, *answers: Answer, **changes: Any) -> Call:
    """Return the call that sends, given the answers to all that went before it."""
    given = answering(provider, **changes)
    call = SENDERS[provider].compose_prepared(given, ACCOUNTS[provider], answers)
    assert isinstance(call, Call)
    return call


def sent(provider: str, *answers: Answer, **changes: Any) -> Any:
    return json.loads(compose(provider, *answers, **changes).body)


def form_of(call: Call) -> Form:
    content_type = call.headers["content-type"].encode()
    return read_form(RawRequest(call.body, (("content-type", content_type),)))


@pytest.mark.parametrize("provider", SENDERS)
def test_a_text_alone_needs_no_preparatory_call_anywhere(provider: str) -> None:
    account = ACCOUNTS.get(provider, ACCOUNTS["slack"])
    assert SENDERS[provider].prepare(reply(), account, ()) is None


@pytest.mark.parametrize("provider", PREPARED)
def test_a_file_is_uploaded_before_the_message_that_names_it(provider: str) -> None:
    answers: list[Answer] = []
    for answer in ANSWERS[provider]:
        needed(provider, *answers)
        answers.append(answer)
    assert prepare(provider, *answers) is None
    assert compose(provider, *answers) != compose(provider)


@pytest.mark.parametrize("provider", PREPARED)
def test_a_reply_is_judged_before_anything_is_uploaded(provider: str) -> None:
    sender, account = SENDERS[provider], ACCOUNTS[provider]
    taken = answering(provider, files=(File(MAP.reference, "image/png", None, b""),))
    assert isinstance(sender.compose(taken, account), Call)
    with pytest.raises(NotSendable):
        sender.compose(answering(provider, reply_to=None, contact_points=()), account)


@pytest.mark.parametrize("provider", PREPARED)
def test_the_same_file_gives_the_same_preparatory_calls_to_the_providers_hosts(
    provider: str,
) -> None:
    for number in range(len(ANSWERS[provider])):
        before = ANSWERS[provider][:number]
        call = needed(provider, *before)
        assert call == needed(provider, *before)
        assert call.url.split("/")[2] in SENDERS[provider].hosts
        shown = repr(call)
        assert not any(secret in shown for secret in ("xoxb", "Bearer", "Basic", "CwABAAAA"))


@pytest.mark.parametrize("provider", PREPARED)
def test_an_upload_that_fails_leaves_nothing_unclear(provider: str) -> None:
    unprepared = SENDERS[provider].unprepared
    for status in (429, 500, 502, 503, 504):
        assert isinstance(unprepared(Answer(status)), Later)
    for status in (302, 400, 401, 403, 404, 413, 422):
        assert isinstance(unprepared(Answer(status)), Refused)
    for answer in ANSWERS[provider]:
        assert unprepared(answer) is None


@pytest.mark.parametrize("provider", PREPARED)
def test_a_good_answer_that_names_no_upload_is_not_sent_on(provider: str) -> None:
    for nothing in (Answer(200, b"<html>"), answered(), answered(upload=[], data="x", files=1)):
        with pytest.raises(NotSendable, match="names no"):
            broken = [nothing, UPLOADED][: len(ANSWERS[provider])]
            compose(provider, *broken)


def test_slack_is_asked_for_a_place_by_name_and_length() -> None:
    call = needed("slack", files=(PAPER,))
    assert (call.method, call.url) == ("POST", "https://slack.com/api/files.getUploadURLExternal")
    assert call.headers == {
        "authorization": "Bearer xoxb-sl",
        "content-type": "application/x-www-form-urlencoded",
    }
    assert parse_qs(call.body.decode()) == {"filename": ["račun 7.pdf"], "length": ["14"]}


def test_the_bytes_go_where_slack_says_without_our_token() -> None:
    call = needed("slack", slacks_place(), files=(PAPER,))
    assert (call.method, call.url, call.body) == ("POST", f"{UPLOAD_URL}1", PAPER.content)
    assert call.headers == {"content-type": "application/octet-stream"}


def test_slack_shares_all_files_in_the_thread_with_the_text() -> None:
    answers = (slacks_place(1), UPLOADED, slacks_place(2), UPLOADED)
    both = {"files": (MAP, PAPER), "text": "<!channel> & co"}
    assert needed("slack", *answers[:2], **both).url.endswith("getUploadURLExternal")
    assert needed("slack", *answers[:3], **both).body == PAPER.content
    assert prepare("slack", *answers, **both) is None
    call = compose("slack", *answers, **both)
    assert call.url == "https://slack.com/api/files.completeUploadExternal"
    assert call.headers["authorization"] == "Bearer xoxb-sl"
    assert json.loads(call.body) == {
        "channel_id": "C0HELP",
        "thread_ts": "1762160400.000400",
        "files": [{"id": "F1"}, {"id": "F2"}],
        "initial_comment": "&lt;!channel&gt; &amp; co",
    }


def test_a_file_alone_in_a_direct_message_of_slack_has_no_comment_and_no_thread() -> None:
    body = sent("slack", slacks_place(), UPLOADED, text="", reply_to="D0ANA")
    assert body == {"channel_id": "D0ANA", "files": [{"id": "F1"}]}


def test_what_slack_shared_is_called_by_its_first_file() -> None:
    read = SENDERS["slack"].read
    assert read(answered(ok=True, files=[{"id": "F1", "title": "a"}, {"id": "F2"}])) == Sent("F1")
    for files in ([], [{}], {}, None, ["F1"]):
        assert isinstance(read(answered(ok=True, files=files)), Unclear)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("ratelimited", Later("Slack error ratelimited")),
        ("internal_error", Later("Slack error internal_error")),
        ("file_uploads_disabled", Refused("Slack error file_uploads_disabled")),
        ("missing_scope", Refused("Slack error missing_scope")),
    ],
)
def test_slacks_own_error_says_why_there_is_no_place(error: str, outcome: Later | Refused) -> None:
    assert SENDERS["slack"].unprepared(answered(ok=False, error=error)) == outcome


def test_the_message_itself_stays_unclear_where_slack_does_not_say() -> None:
    assert isinstance(SENDERS["slack"].read(answered(ok=False, error="internal_error")), Unclear)


def test_zendesk_gets_each_file_by_its_name_and_all_tokens_with_the_comment() -> None:
    files = {"files": (PAPER, MAP)}
    first, second = answered(201, upload={"token": "a"}), answered(201, upload={"token": "b"})
    call = needed("zendesk", **files)
    assert call.method == "POST"
    assert call.url == (
        "https://support.zendesk.com/api/v2/uploads.json?filename=ra%C4%8Dun%207.pdf"
    )
    assert (call.headers["content-type"], call.body) == ("application/pdf", PAPER.content)
    assert call.headers["authorization"].startswith("Basic ")
    assert needed("zendesk", first, **files).url.endswith("?filename=map.png")
    assert prepare("zendesk", first, second, **files) is None
    comment = sent("zendesk", first, second, **files)["ticket"]["comment"]
    assert comment == {"body": TEXT, "public": True, "uploads": ["a", "b"]}


def test_zendesk_takes_no_files_without_a_text() -> None:
    with pytest.raises(NotSendable, match="a text"):
        compose("zendesk", *ANSWERS["zendesk"], text="")


def test_nothing_in_a_files_name_can_add_to_zendesks_address() -> None:
    evil = File("blob:1", "application/pdf", "a&x=1#/../b?c\r\n.pdf", b"1")
    assert needed("zendesk", files=(evil,)).url.endswith(
        "/uploads.json?filename=a%26x%3D1%23_.._b%3Fc%20.pdf"
    )


def test_x_gets_a_picture_for_direct_messages_and_its_id_with_the_message() -> None:
    call = needed("x")
    assert (call.method, call.url) == ("POST", "https://api.x.com/2/media/upload")
    assert call.headers["authorization"] == "Bearer xx"
    form = form_of(call)
    assert (form.text("media_category"), form.text("media_type")) == ("dm_image", "image/png")
    (picture,) = form.files()
    assert (picture.name, picture.body) == ("media", MAP.content)
    attached = {"attachments": [{"media_id": "1146654567674912769"}]}
    assert sent("x", *ANSWERS["x"]) == {"text": TEXT, **attached}
    assert sent("x", *ANSWERS["x"], text="") == attached


@pytest.mark.parametrize("files", [(MAP, MAP), (PAPER,), (FILM,)])
def test_x_takes_one_picture_and_nothing_else(files: tuple[File, ...]) -> None:
    with pytest.raises(NotSendable, match="one picture"):
        SENDERS["x"].compose(answering("x", files=files), ACCOUNTS["x"])


def test_chatwoot_gets_text_and_files_in_one_form() -> None:
    call = compose("chatwoot", files=(PAPER, MAP), in_reply_to="101")
    assert call.url == "https://app.chatwoot.com/api/v1/accounts/1/conversations/12/messages"
    assert call.headers["api_access_token"] == "t0"
    form = form_of(call)
    assert (form.text("content"), form.text("message_type")) == (TEXT, "outgoing")
    assert form.json("content_attributes") == {"in_reply_to": 101}
    assert [(file.name, file.file_name, file.media_type, file.body) for file in form.files()] == [
        ("attachments[]", "račun 7.pdf", "application/pdf", PAPER.content),
        ("attachments[]", "map.png", "image/png", MAP.content),
    ]
    assert form.text("private") is None


def test_a_file_alone_has_no_content_at_chatwoot() -> None:
    form = form_of(compose("chatwoot", text=""))
    assert [part.name for part in form.parts] == ["message_type", "attachments[]"]


def test_viber_is_given_a_pictures_address_and_a_short_text() -> None:
    body = sent("viber")
    assert (body["type"], body["text"], body["media"]) == ("picture", TEXT, MAP.reference)
    assert sent("viber", text="")["text"] == ""
    assert body["receiver"] == TO["viber"]


def test_viber_is_told_how_many_bytes_a_video_or_file_has() -> None:
    film = sent("viber", text="", files=(FILM,))
    assert (film["type"], film["media"], film["size"]) == ("video", FILM.reference, 1_024)
    paper = File("https://files.example.com/b%C4%8D.pdf", "application/pdf", None, b"%PDF")
    body = sent("viber", text="", files=(paper,))
    assert (body["type"], body["size"], body["file_name"]) == ("file", 4, "bč.pdf")
    assert "text" not in body


def test_a_picture_too_large_for_viber_goes_as_a_file() -> None:
    large = File(MAP.reference, "image/png", "map.png", bytes(1024 * 1024 + 1))
    assert sent("viber", text="", files=(large,))["type"] == "file"
    with pytest.raises(NotSendable, match="one after the other"):
        compose("viber", files=(large,))


@pytest.mark.parametrize(
    "changes",
    [
        {"files": (MAP, MAP), "text": ""},
        {"files": (FILM,)},
        {"files": (PAPER,), "text": ""},
        {"text": "x" * 121},
    ],
)
def test_what_viber_cannot_show_in_one_message_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(NotSendable, match=r"one after the other|https address"):
        compose("viber", **changes)
