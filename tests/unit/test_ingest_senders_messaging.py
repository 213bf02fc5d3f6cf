"""Messaging ways out: the exact request of each, and what its answers mean."""

import json
from datetime import timedelta
from typing import Any

import pytest

from services.ingest.adapters.payloads.forms import Form, read_form
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain.outcomes import Later, Outcome, Refused, Sent, Unclear
from services.ingest.senders.contract import Answer, Call, File, NotSendable, Reply
from services.ingest.senders.registry import SENDERS
from tests.support.builders_replies import reply, sending_account

TEXT = "We open at nine. 👋"
ACCOUNTS: dict[str, ChannelAccount] = {
    "instagram": sending_account("instagram", secrets={"access_token": "ig"}, page_id="178414"),
    "line": sending_account("line", secrets={"channel_access_token": "ln"}),
    "messenger": sending_account("messenger", secrets={"access_token": "ms"}, page_id="900100"),
    "slack": sending_account("slack", secrets={"bot_token": "xoxb-sl"}),
    "telegram": sending_account("telegram", secrets={"bot_token": "700:tg"}),
    "viber": sending_account("viber", secrets={}, sender_name="Example Shop"),
    "whatsapp": sending_account("whatsapp", secrets={"access_token": "wa"}, phone_number_id="1002"),
    "x": sending_account("x", secrets={"access_token": "xx"}),
}
TO = {
    "instagram": "5550200300400",
    "line": "Uana",
    "messenger": "700200300400500",
    "slack": "C0HELP/1762160400.000400",
    "telegram": "chat_id=401200123",
    "viber": "01234567890A==",
    "whatsapp": "38640123456",
    "x": "dm:3805104374",
}
GOOD = {
    "instagram": ({"recipient_id": "5550200300400", "message_id": "aWd.1"}, "aWd.1"),
    "line": ({"sentMessages": [{"id": "4612"}]}, "4612"),
    "messenger": ({"recipient_id": "700200300400500", "message_id": "m_1"}, "m_1"),
    "slack": ({"ok": True, "channel": "C0HELP", "ts": "1762.1"}, "C0HELP/1762.1"),
    "telegram": ({"ok": True, "result": {"message_id": 12, "chat": {"id": 401}}}, "401/12"),
    "viber": ({"status": 0, "message_token": 4912661846655238145}, "4912661846655238145"),
    "whatsapp": ({"messages": [{"id": "wamid.1"}]}, "wamid.1"),
    "x": ({"data": {"dm_conversation_id": "1-2", "dm_event_id": "954"}}, "954"),
}
GRAPH = "https://graph.facebook.com/v23.0"
REQUESTS: dict[str, tuple[str, dict[str, str], Any]] = {
    "instagram": (
        "https://graph.instagram.com/v23.0/178414/messages",
        {"authorization": "Bearer ig"},
        {
            "recipient": {"id": "5550200300400"},
            "messaging_type": "RESPONSE",
            "message": {"text": TEXT},
        },
    ),
    "line": (
        "https://api.line.me/v2/bot/message/push",
        {
            "authorization": "Bearer ln",
            "x-line-retry-key": "39990ef6-859b-5ff7-b141-20425803aedc",
        },
        {"to": "Uana", "messages": [{"type": "text", "text": TEXT}]},
    ),
    "messenger": (
        f"{GRAPH}/900100/messages",
        {"authorization": "Bearer ms"},
        {
            "recipient": {"id": "700200300400500"},
            "messaging_type": "RESPONSE",
            "message": {"text": TEXT},
        },
    ),
    "slack": (
        "https://slack.com/api/chat.postMessage",
        {"authorization": "Bearer xoxb-sl"},
        {"channel": "C0HELP", "text": TEXT, "thread_ts": "1762160400.000400"},
    ),
    "telegram": (
        "https://api.telegram.org/bot700:tg/sendMessage",
        {},
        {"chat_id": "401200123", "text": TEXT},
    ),
    "viber": (
        "https://chatapi.viber.com/pa/send_message",
        {"x-viber-auth-token": "viber-auth-token"},
        {
            "receiver": "01234567890A==",
            "type": "text",
            "text": TEXT,
            "sender": {"name": "Example Shop"},
            "min_api_version": 1,
            "tracking_data": "reply-1",
        },
    ),
    "whatsapp": (
        f"{GRAPH}/1002/messages",
        {"authorization": "Bearer wa"},
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "38640123456",
            "type": "text",
            "text": {"body": TEXT},
        },
    ),
    "x": (
        "https://api.x.com/2/dm_conversations/with/3805104374/messages",
        {"authorization": "Bearer xx"},
        {"text": TEXT},
    ),
}
PROVIDERS = sorted(ACCOUNTS)
PAPER = File("blob:b-1#2", "application/pdf", "račun.pdf", b"%PDF-1.7 \x00\r\n--")
PICTURE = File("https://files.example.com/map.png", "image/png", "map.png")


def compose(provider: str, **changes: Any) -> Call:
    """Return the call that answers the customer of a provider."""
    answered: Reply = reply(**{"reply_to": TO[provider], **changes})
    call = SENDERS[provider].compose(answered, ACCOUNTS[provider])
    assert isinstance(call, Call)
    return call


def sent(provider: str, **changes: Any) -> Any:
    """Return the JSON of that call."""
    return json.loads(compose(provider, **changes).body)


def read(provider: str, status: int, body: Any = None, **headers: str) -> Outcome:
    content = b"<html>" if body is None else json.dumps(body).encode()
    return SENDERS[provider].read(Answer(status, content, headers))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_reply_is_exactly_the_providers_request(provider: str) -> None:
    url, headers, body = REQUESTS[provider]
    call = compose(provider)
    assert (call.method, call.url) == ("POST", url)
    assert call.headers == {**headers, "content-type": "application/json"}
    assert json.loads(call.body) == body


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_same_reply_gives_the_same_call_and_goes_only_to_the_providers_hosts(
    provider: str,
) -> None:
    assert compose(provider) == compose(provider)
    assert compose(provider).url.split("/")[2] in SENDERS[provider].hosts


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_secret_shows_in_a_calls_repr(provider: str) -> None:
    shown = repr(compose(provider))
    for values in ACCOUNTS[provider].secrets.values():
        assert all(value.decode() not in shown for value in values)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_good_answer_names_the_message_as_its_receipts_will(provider: str) -> None:
    body, message_id = GOOD[provider]
    assert read(provider, 200, body) == Sent(message_id)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_good_answer_that_cannot_be_read_leaves_it_unclear(provider: str) -> None:
    for body in (None, {}, [], "x", {"sentMessages": {}, "messages": [3], "result": 1}):
        assert isinstance(read(provider, 200, body), Unclear)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_busy_provider_is_tried_later_and_a_broken_one_leaves_it_unclear(provider: str) -> None:
    waited = read(provider, 429, **{"retry-after": "7"})
    assert waited == Later("HTTP 429", timedelta(seconds=7))
    assert isinstance(read(provider, 503), Later)
    assert isinstance(read(provider, 500), Unclear)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_the_provider_will_never_take_is_refused(provider: str) -> None:
    assert isinstance(read(provider, 400), Refused)
    assert isinstance(read(provider, 401, {}), Refused)


@pytest.mark.parametrize(
    ("provider", "status", "body", "outcome"),
    [
        ("telegram", 429, {"parameters": {"retry_after": 9}}, Later("HTTP 429", timedelta(0, 9))),
        (
            "telegram",
            429,
            {"parameters": {"retry_after": 99_999}},
            Later("HTTP 429", timedelta(0, 3_600)),
        ),
        (
            "telegram",
            403,
            {"description": "Forbidden: bot was blocked by the user"},
            Refused("Forbidden: bot was blocked by the user"),
        ),
        ("messenger", 400, {"error": {"code": 613}}, Later("Meta error 613")),
        (
            "messenger",
            400,
            {"error": {"code": 10, "error_subcode": 2018278}},
            Refused("The service window is closed (Meta error 10/2018278)."),
        ),
        ("instagram", 400, {"error": {"code": 100}}, Refused("Meta error 100")),
        ("whatsapp", 400, {"error": {"code": 131056}}, Later("Meta error 131056")),
        (
            "whatsapp",
            400,
            {"error": {"code": 131047}},
            Refused("The service window is closed (Meta error 131047)."),
        ),
        ("whatsapp", 500, {"error": {"code": 613}}, Unclear("HTTP 500")),
        ("viber", 200, {"status": 12, "message_token": 1}, Later("Viber status 12")),
        ("viber", 200, {"status": 6}, Refused("Viber status 6")),
        ("line", 409, {"sentMessages": [{"id": "4612"}]}, Sent("4612")),
        ("line", 409, {}, Unclear("an earlier try was taken, without its id")),
        (
            "line",
            429,
            {"message": "You have reached your monthly limit."},
            Refused("LINE's monthly limit of messages is reached."),
        ),
        ("line", 400, {"message": "Invalid to"}, Refused("Invalid to")),
        ("slack", 200, {"ok": False, "error": "ratelimited"}, Later("Slack error ratelimited")),
        ("slack", 200, {"ok": False, "error": "internal_error"}, Unclear("internal_error")),
        (
            "slack",
            200,
            {"ok": False, "error": "channel_not_found"},
            Refused("Slack error channel_not_found"),
        ),
        ("x", 403, {"title": "Forbidden", "detail": "…"}, Refused("Forbidden")),
    ],
)
def test_what_the_providers_own_codes_mean(
    provider: str, status: int, body: Any, outcome: Outcome
) -> None:
    assert read(provider, status, body) == outcome


@pytest.mark.parametrize(
    ("provider", "point"),
    [
        ("instagram", "instagram:178414/5550200300400"),
        ("line", "line:Ubot/Uana"),
        ("messenger", "messenger:900100/700200300400500"),
        ("telegram", "telegram:401200123"),
        ("viber", "viber:main/01234567890A=="),
        ("whatsapp", "tel:+38640123456"),
        ("x", "x:3805104374"),
    ],
)
def test_without_an_address_the_customers_own_id_is_enough(provider: str, point: str) -> None:
    assert compose(provider, reply_to=None, contact_points=(point,)) == compose(provider)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_customer_known_elsewhere_only_cannot_be_answered_here(provider: str) -> None:
    with pytest.raises(NotSendable):
        compose(provider, reply_to=None, contact_points=("email:ana@example.si",))


@pytest.mark.parametrize("provider", ["instagram", "line", "messenger", "viber", "whatsapp"])
def test_a_file_that_has_no_address_cannot_go(provider: str) -> None:
    with pytest.raises(NotSendable, match="https"):
        compose(provider, text="", files=(File("blob:1", "image/png"),))


@pytest.mark.parametrize("provider", ["instagram", "messenger"])
@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        ("image/png", "image"),
        ("audio/mp4", "audio"),
        ("video/mp4", "video"),
        ("application/pdf", "file"),
    ],
)
def test_meta_sends_one_file_by_its_address(provider: str, media_type: str, kind: str) -> None:
    file = File("https://files.example.com/a", media_type)
    body = sent(provider, text="", files=(file,))
    attachment = {"type": kind, "payload": {"url": file.reference}}
    assert body["message"] == {"attachment": attachment}
    assert (body["recipient"], body["messaging_type"]) == ({"id": TO[provider]}, "RESPONSE")


@pytest.mark.parametrize("provider", ["instagram", "messenger"])
def test_meta_sends_no_text_with_a_file_and_no_two_files(provider: str) -> None:
    for changes in ({"files": (PICTURE,)}, {"text": "", "files": (PICTURE, PICTURE)}):
        with pytest.raises(NotSendable, match="one after the other"):
            compose(provider, **changes)


def test_instagram_sends_no_document_but_a_pdf() -> None:
    table = File("https://files.example.com/a.csv", "text/csv")
    assert sent("messenger", text="", files=(table,))["message"]["attachment"]["type"] == "file"
    with pytest.raises(NotSendable, match="PDFs"):
        compose("instagram", text="", files=(table,))


def test_instagram_counts_a_text_in_bytes() -> None:
    assert sent("instagram", text="č" * 500)
    with pytest.raises(NotSendable, match="bytes"):
        compose("instagram", text="č" * 501)


def test_line_sends_text_and_images_in_one_push_and_nothing_else() -> None:
    text, image = sent("line", files=(PICTURE,))["messages"]
    assert text["text"] == TEXT
    assert image["originalContentUrl"] == image["previewImageUrl"] == PICTURE.reference
    [alone] = sent("line", text="", files=(PICTURE,))["messages"]
    assert alone == image
    with pytest.raises(NotSendable, match="images"):
        compose("line", files=(File("https://files.example.com/a.pdf", "application/pdf"),))
    with pytest.raises(NotSendable, match="5"):
        compose("line", files=(PICTURE,) * 5)


def test_line_gets_a_retry_key_for_each_reply() -> None:
    first, second = compose("line"), compose("line", reply_id="reply-2")
    assert first.headers["x-line-retry-key"] != second.headers["x-line-retry-key"]
    assert SENDERS["line"].repeatable
    assert not any(SENDERS[other].repeatable for other in PROVIDERS if other != "line")


def test_telegram_answers_the_message_in_its_topic_and_business_chat() -> None:
    place = "chat_id=-1001&message_thread_id=50&business_connection_id=bc-1"
    body = sent("telegram", reply_to=place, in_reply_to="-1001/55")
    assert (body["chat_id"], body["message_thread_id"]) == ("-1001", 50)
    assert body["business_connection_id"] == "bc-1"
    answered = {"message_id": 55, "allow_sending_without_reply": True}
    assert body["reply_parameters"] == answered
    assert "reply_parameters" not in sent("telegram", in_reply_to="-1001/55")  # another chat's
    assert "reply_parameters" not in sent("telegram", in_reply_to="401200123/²")


def telegrams_form(*files: File, **changes: Any) -> Form:
    """Return the form of the call that sends a file to Telegram."""
    call = compose("telegram", files=files or (PAPER,), **changes)
    assert call.url == "https://api.telegram.org/bot700:tg/sendDocument"
    return read_form(
        RawRequest(call.body, (("content-type", call.headers["content-type"].encode()),))
    )


def test_telegram_sends_a_file_with_its_bytes_and_a_caption() -> None:
    form = telegrams_form()
    (file,) = form.files()
    assert (file.name, file.file_name, file.media_type) == (
        "document",
        "račun.pdf",
        PAPER.media_type,
    )
    assert file.body == PAPER.content
    assert (form.text("chat_id"), form.text("caption")) == ("401200123", TEXT)
    assert form.text("text") is None


def test_a_file_alone_has_no_caption_at_telegram() -> None:
    form = telegrams_form(text="")
    assert [part.name for part in form.parts] == ["chat_id", "document"]


def test_a_file_answers_the_message_in_its_topic_too() -> None:
    place = "chat_id=-1001&message_thread_id=50&business_connection_id=bc-1"
    form = telegrams_form(reply_to=place, in_reply_to="-1001/55")
    assert (form.text("message_thread_id"), form.text("business_connection_id")) == ("50", "bc-1")
    assert form.json("reply_parameters")["message_id"] == 55


def test_telegram_takes_one_file_and_a_short_text_with_it() -> None:
    for changes in ({"files": (PAPER, PAPER)}, {"files": (PAPER,), "text": "x" * 1_025}):
        with pytest.raises(NotSendable, match="one file"):
            compose("telegram", **changes)
    assert telegrams_form(text="x" * 1_024).text("caption") == "x" * 1_024


def test_nothing_in_a_file_or_its_name_can_add_a_field_to_telegrams_form() -> None:
    evil = b'x\r\n--=_\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n1\r\n'
    name = 'a"; name="chat_id"\r\n\r\n1\\".pdf'
    form = telegrams_form(File("blob:1", "application/pdf", name, evil))
    assert [part.name for part in form.parts] == ["chat_id", "caption", "document"]
    assert form.files()[0].body == evil


def test_the_same_file_gives_the_same_call() -> None:
    assert compose("telegram", files=(PAPER,)) == compose("telegram", files=(PAPER,))


def test_nothing_in_a_text_can_call_everybody_in_slack() -> None:
    assert sent("slack", text="<!channel> & co")["text"] == "&lt;!channel&gt; &amp; co"


def test_a_direct_message_in_slack_has_no_thread() -> None:
    body = sent("slack", reply_to="D0ANA")
    assert (body["channel"], "thread_ts" in body) == ("D0ANA", False)


def test_whatsapp_answers_a_customer_without_a_number_by_the_scoped_id() -> None:
    for changes in (
        {"reply_to": "SI.1349120865530274"},
        {"reply_to": None, "contact_points": ("whatsapp:p1/SI.1349120865530274",)},
    ):
        body = sent("whatsapp", **changes)
        assert body["recipient"] == "SI.1349120865530274"
        assert "to" not in body


def test_whatsapp_answers_a_message_or_sends_a_template() -> None:
    assert sent("whatsapp", in_reply_to="wamid.7")["context"] == {"message_id": "wamid.7"}
    body = sent("whatsapp", template="we_are_back", language="sl")
    assert body["template"] == {"name": "we_are_back", "language": {"code": "sl"}}
    assert "text" not in body


def test_whatsapp_fills_the_gaps_of_a_templates_text_in_order() -> None:
    body = sent("whatsapp", template="on_its_way", template_parameters=("Ana", "22 €"))
    assert body["template"] == {
        "name": "on_its_way",
        "language": {"code": "en"},
        "components": [
            {
                "type": "body",
                "parameters": [{"type": "text", "text": "Ana"}, {"type": "text", "text": "22 €"}],
            }
        ],
    }


@pytest.mark.parametrize("odd", ["two\nlines", "a\rb", "a\tb", "a     b"])
def test_what_whatsapp_takes_in_no_gap_is_said_before(odd: str) -> None:
    with pytest.raises(NotSendable, match="line break"):
        compose("whatsapp", template="on_its_way", template_parameters=("Ana", odd))


def test_whatsapp_sends_a_file_with_its_caption_and_name() -> None:
    body = sent("whatsapp", files=(PICTURE,))
    assert body["image"] == {"link": PICTURE.reference, "caption": TEXT}
    assert sent("whatsapp", text="", files=(PICTURE,))["image"] == {"link": PICTURE.reference}
    paper = File("https://files.example.com/a.pdf", "application/pdf", "račun.pdf")
    assert sent("whatsapp", text="", files=(paper,))["document"]["filename"] == "račun.pdf"
    sound = File("https://files.example.com/a.ogg", "audio/ogg")
    assert sent("whatsapp", text="", files=(sound,))["audio"] == {"link": sound.reference}
    for changes in ({"files": (sound,)}, {"files": (PICTURE, PICTURE)}):
        with pytest.raises(NotSendable, match="one file at a time"):
            compose("whatsapp", **changes)


def test_a_public_post_on_x_is_not_answered_by_a_direct_message() -> None:
    with pytest.raises(NotSendable, match="public"):
        compose("x", reply_to="post:1050118621198921728")


def test_only_metas_providers_have_a_service_window_and_only_whatsapp_has_templates() -> None:
    assert {name for name in PROVIDERS if SENDERS[name].window} == {
        "instagram",
        "messenger",
        "whatsapp",
    }
    assert {name: SENDERS[name].allowed for name in PROVIDERS if SENDERS[name].allowed} == {
        "whatsapp": ("template",)
    }


def test_private_files_are_fetched_with_our_credentials_from_the_providers_hosts_only() -> None:
    slack, line = SENDERS["slack"], SENDERS["line"]
    file = slack.download("https://files.slack.com/files-pri/T0-F0/a.png", ACCOUNTS["slack"])
    assert file is not None
    assert (file.method, file.headers) == ("GET", {"authorization": "Bearer xoxb-sl"})
    for other in (
        "https://files.slack.com.evil.example/files-pri/T0-F0/a.png",
        "https://files.slack.com/api/files.list",
        "https://files.slack.com/files-pri/T0-F0/../../api",
        "https://files.slack.com/files-pri/T0-F0/a.png?x=1",
    ):
        assert slack.download(other, ACCOUNTS["slack"]) is None
    content = line.download("468000000000000006", ACCOUNTS["line"])
    assert content is not None
    assert content.url == "https://api-data.line.me/v2/bot/message/468000000000000006/content"
    assert content.headers == {"authorization": "Bearer ln"}
