"""Replies through the send APIs of mail providers: the exact calls, and what their answers mean."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest

from services.ingest.adapters.payloads.forms import Form, read_form
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain.plus_address import conversation_of, plus_token, token_in
from services.ingest.senders.aws_signature import AwsKey
from services.ingest.senders.contract import (
    Answer,
    Call,
    File,
    Later,
    NotSendable,
    Outcome,
    Refused,
    Reply,
    Sender,
    Sent,
    Unclear,
)
from services.ingest.senders.mailgun import MailgunSender
from services.ingest.senders.postmark import PostmarkSender
from services.ingest.senders.sendgrid import SendGridSender
from services.ingest.senders.ses import SesSender
from shared.ids import KeyedIds
from tests.support.builders import NOON

IDS = KeyedIds("a key for tests only")
CONVERSATION = IDS.conversation_id("mail", "support", "first@mail.example.si")
SENDERS = (MailgunSender(), PostmarkSender(), SendGridSender(), SesSender())
ALL = {sender.provider: sender for sender in SENDERS}
MESSAGE_ID = "<reply_1@example.com>"
THREAD = "<first@mail.example.si> <last@mail.example.si>"


def account(provider: str, **options: str) -> ChannelAccount:
    usual = {"address": "support@example.com", "from": "Example <support@example.com>"}
    usual |= {"domain": "mg.example.com"}
    if provider == "ses":
        usual |= {"region": "eu-west-1", "access_key_id": "AKIDEXAMPLE"}
    secrets = {"api_key": (b"key-1", b"key-0"), "server_token": (b"token-1",)}
    secrets |= {"secret_access_key": (b"aws-1", b"aws-0")}
    return ChannelAccount(provider, "support", secrets, {**usual, **options})


def a_reply(**changes: Any) -> Reply:
    reply = Reply(
        reply_id="reply_1",
        conversation_id=CONVERSATION,
        contact_points=("portal:main/c-1", "email:ana.kovac@example.si"),
        sender="agent",
        text="It is on its way 👩‍👩‍👧",
        created_at=NOON,
        subject="Where is my parcel?",
        in_reply_to="last@mail.example.si",
        thread=("first@mail.example.si", "last@mail.example.si"),
        plus_token=plus_token(IDS, CONVERSATION),
    )
    return replace(reply, **changes)


def call(provider: str, options: dict[str, str] | None = None, **changes: Any) -> Call:
    made = ALL[provider].compose(a_reply(**changes), account(provider, **(options or {})))
    assert isinstance(made, Call)
    assert made.url.removeprefix("https://").partition("/")[0] in ALL[provider].hosts
    return made


def posted(provider: str, **changes: Any) -> Any:
    return json.loads(call(provider, **changes).body)


def raw(**changes: Any) -> Any:
    """Return the mail that Amazon SES is given."""
    written = base64.b64decode(posted("ses", **changes)["Content"]["Raw"]["Data"])
    return message_from_bytes(written, policy=policy.default)


def form(**changes: Any) -> Form:
    made = call("mailgun", **changes)
    return read_form(
        RawRequest(made.body, (("content-type", made.headers["content-type"].encode()),))
    )


def mail(**changes: Any) -> Any:
    part = form(**changes).part("message")
    assert part is not None
    return message_from_bytes(part.body, policy=policy.default)


def test_mailgun_is_given_the_whole_mail_and_whom_it_is_for() -> None:
    made = call("mailgun")
    assert (made.method, made.url) == (
        "POST",
        "https://api.mailgun.net/v3/mg.example.com/messages.mime",
    )
    assert made.headers["authorization"] == "Basic " + base64.b64encode(b"api:key-1").decode()
    assert form().text("to") == "ana.kovac@example.si"
    assert form().text("v:throughline-conversation") == CONVERSATION
    written = mail()
    assert (written["Message-ID"], written["References"]) == (MESSAGE_ID, THREAD)
    assert written.get_content().strip() == "It is on its way 👩‍👩‍👧"


def test_sendgrid_is_given_the_mail_in_parts() -> None:
    made = call("sendgrid")
    assert (made.method, made.url) == ("POST", "https://api.sendgrid.com/v3/mail/send")
    assert made.headers["authorization"] == "Bearer key-1"
    reply_to = json.loads(made.body)["reply_to"]["email"]
    assert json.loads(made.body) == {
        "personalizations": [{"to": [{"email": "ana.kovac@example.si"}]}],
        "from": {"email": "support@example.com", "name": "Example"},
        "reply_to": {"email": reply_to},
        "subject": "Re: Where is my parcel?",
        "content": [{"type": "text/plain", "value": "It is on its way 👩‍👩‍👧"}],
        "headers": {
            "Message-ID": MESSAGE_ID,
            "In-Reply-To": "<last@mail.example.si>",
            "References": THREAD,
        },
        "custom_args": {"throughline-conversation": CONVERSATION},
    }
    assert conversation_of(IDS, token_in(reply_to) or "") == CONVERSATION


def test_postmark_is_given_the_mail_in_parts_and_keeps_our_message_id() -> None:
    made = call("postmark")
    assert (made.method, made.url) == ("POST", "https://api.postmarkapp.com/email")
    assert made.headers["x-postmark-server-token"] == "token-1"
    told = json.loads(made.body)
    assert conversation_of(IDS, token_in(told.pop("ReplyTo")) or "") == CONVERSATION
    assert told == {
        "From": "Example <support@example.com>",
        "To": "ana.kovac@example.si",
        "Subject": "Re: Where is my parcel?",
        "TextBody": "It is on its way 👩‍👩‍👧",
        "Headers": [
            {"Name": "Message-ID", "Value": MESSAGE_ID},
            {"Name": "In-Reply-To", "Value": "<last@mail.example.si>"},
            {"Name": "References", "Value": THREAD},
            {"Name": "X-PM-KeepID", "Value": "true"},
        ],
        "Metadata": {"throughline-conversation": CONVERSATION},
        "MessageStream": "outbound",
    }


def test_amazon_is_given_the_whole_mail_and_whom_it_is_for() -> None:
    made = call("ses")
    assert (made.method, made.url) == (
        "POST",
        "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails",
    )
    told = json.loads(made.body)
    assert set(told.pop("Content")) == {"Raw"}
    assert told == {
        "Destination": {"ToAddresses": ["ana.kovac@example.si"]},
        "EmailTags": [{"Name": "throughline-conversation", "Value": CONVERSATION}],
    }
    assert made.signer == AwsKey("AKIDEXAMPLE", b"aws-1", "eu-west-1", "ses")
    written = raw()
    assert (written["From"], written["References"]) == ("Example <support@example.com>", THREAD)
    assert conversation_of(IDS, token_in(written["Reply-To"]) or "") == CONVERSATION
    assert written.get_content().strip() == "It is on its way 👩‍👩‍👧"


def test_amazon_is_told_the_configuration_set_that_publishes_news() -> None:
    told = json.loads(call("ses", {"configuration_set": "replies"}).body)
    assert told["ConfigurationSetName"] == "replies"


def test_a_region_or_stream_of_their_own_is_used() -> None:
    europe = {"region": "eu"}
    assert call("mailgun", europe).url.startswith("https://api.eu.mailgun.net/")
    assert call("sendgrid", europe).url.startswith("https://api.eu.sendgrid.com/")
    assert json.loads(call("postmark", {"stream": "desk"}).body)["MessageStream"] == "desk"


@pytest.mark.parametrize("provider", ["mailgun", "sendgrid", "ses"])
def test_a_region_nobody_knows_is_said_before_anything_is_sent(provider: str) -> None:
    with pytest.raises(NotSendable, match="region"):
        call(provider, {"region": "moon"})


def test_what_a_bot_sends_is_marked_as_automatic() -> None:
    assert mail(sender="bot")["Auto-Submitted"] == "auto-replied"
    assert raw(sender="bot")["Auto-Submitted"] == "auto-replied"
    assert posted("sendgrid", sender="bot")["headers"]["Auto-Submitted"] == "auto-replied"
    header = {"Name": "Auto-Submitted", "Value": "auto-generated"}
    assert header in posted("postmark", sender="system")["Headers"]
    assert "Auto-Submitted" not in posted("sendgrid")["headers"]


def test_rich_text_and_files_go_along() -> None:
    file = File("blob:b", "application/pdf", "račun.pdf", b"%PDF")
    rich = {"html": "<p>It is</p>", "files": (file,)}
    content = base64.b64encode(b"%PDF").decode()
    assert [part.get_filename() for part in mail(**rich).iter_attachments()] == ["račun.pdf"]
    assert [part.get_content() for part in raw(**rich).iter_attachments()] == [b"%PDF"]
    sendgrid = posted("sendgrid", **rich)
    assert sendgrid["content"][1] == {"type": "text/html", "value": "<p>It is</p>"}
    assert sendgrid["attachments"] == [
        {"filename": "račun.pdf", "type": "application/pdf", "content": content}
    ]
    postmark = posted("postmark", **rich)
    assert postmark["HtmlBody"] == "<p>It is</p>"
    assert postmark["Attachments"] == [
        {"Name": "račun.pdf", "ContentType": "application/pdf", "Content": content}
    ]


def test_a_mail_may_be_nothing_but_a_file_where_the_whole_mail_is_handed_in() -> None:
    alone = {"text": "", "files": (File("blob:b", "application/pdf", "a.pdf", b"%PDF"),)}
    for written in (mail(**alone), raw(**alone)):
        body = written.get_body(("plain",))
        assert body is not None
        assert body.get_content().strip() == ""
        assert [part.get_content() for part in written.iter_attachments()] == [b"%PDF"]


@pytest.mark.parametrize("provider", ["postmark", "sendgrid"])
def test_a_provider_that_sends_no_mail_without_a_text_is_not_asked_to(provider: str) -> None:
    with pytest.raises(NotSendable, match="without a text"):
        call(provider, text="", files=(File("blob:b", "application/pdf", "a.pdf", b"%PDF"),))


@pytest.mark.parametrize("provider", ALL)
def test_the_same_reply_gives_the_same_call(provider: str) -> None:
    assert call(provider) == call(provider)


@pytest.mark.parametrize("provider", ALL)
def test_a_header_cannot_be_smuggled_into_the_subject(provider: str) -> None:
    changes = {
        "subject": "Hi\r\nBcc: evil@example.com",
        "in_reply_to": "x@y>\r\nBcc: e@example.com",
    }
    assert b"\nBcc" not in call(provider, **changes).body
    assert raw(**changes)["Bcc"] is None
    if provider != "mailgun":
        assert "\\nBcc" not in call(provider, **changes).body.decode()


@pytest.mark.parametrize("provider", ALL)
def test_a_customer_without_an_address_cannot_be_written_to(provider: str) -> None:
    with pytest.raises(NotSendable, match="no e-mail address"):
        call(provider, contact_points=("portal:main/c-1",))


@pytest.mark.parametrize("provider", ALL)
def test_credentials_never_show(provider: str) -> None:
    shown = repr(call(provider))
    assert "key-1" not in shown
    assert "token-1" not in shown
    assert "aws-1" not in shown


GOOD = {
    "mailgun": Answer(200, b'{"id": "<reply_1@example.com>", "message": "Queued. Thank you."}'),
    "postmark": Answer(200, b'{"ErrorCode": 0, "Message": "OK", "MessageID": "pm-1"}'),
    "sendgrid": Answer(202, b"", {"x-message-id": "14c5d75ce93"}),
    "ses": Answer(200, b'{"MessageId": "0102018b-aaaa"}'),
}
IDS_GIVEN = {
    "mailgun": "reply_1@example.com",
    "postmark": "pm-1",
    "sendgrid": "14c5d75ce93",
    "ses": "0102018b-aaaa",
}


@pytest.mark.parametrize(("provider", "sender"), ALL.items())
def test_a_good_answer_names_the_message_as_its_news_will(provider: str, sender: Sender) -> None:
    assert sender.read(GOOD[provider]) == Sent(IDS_GIVEN[provider])
    assert sender.read(Answer(200, b"{}")) == Unclear("the provider's answer names no message")


@pytest.mark.parametrize("sender", ALL.values())
def test_a_busy_provider_is_asked_again_and_a_broken_one_may_have_sent_it(sender: Sender) -> None:
    busy = Answer(429, b"", {"retry-after": "30"})
    assert sender.read(busy) == Later("HTTP 429", timedelta(seconds=30))
    assert sender.read(Answer(503)) == Later("HTTP 503")
    assert sender.read(Answer(500)) == Unclear("HTTP 500")


def amazon_says(error: str, status: int = 400) -> Outcome:
    return ALL["ses"].read(Answer(status, b"{}", {"x-amzn-errortype": error}))


@pytest.mark.parametrize(
    "error", ["ThrottlingException", "TooManyRequestsException", "LimitExceededException:http://x"]
)
def test_amazon_is_asked_again_when_its_quota_is_used_up(error: str) -> None:
    assert isinstance(amazon_says(error), Later)


def test_amazons_refusals_are_put_in_words() -> None:
    assert amazon_says("MailFromDomainNotVerifiedException") == Refused(
        "the sender's domain is not verified at Amazon SES"
    )
    assert amazon_says("InvalidSignatureException:http://internal.example.com/", 403) == Refused(
        "the secret access key is wrong"
    )
    assert amazon_says("NewException") == Refused("Amazon SES: HTTP 400 NewException")
    named = b'{"__type": "com.amazonaws.ses#SendingPausedException", "message": "ana@example.si"}'
    assert ALL["ses"].read(Answer(400, named)) == Refused("sending is paused at Amazon SES")
    assert ALL["ses"].read(Answer(400, b"")) == Refused("Amazon SES: HTTP 400")


def test_a_refusal_says_why_and_never_whom() -> None:
    inactive = b'{"ErrorCode": 406, "Message": "Found inactive addresses: ana@example.si."}'
    assert ALL["postmark"].read(Answer(422, inactive)) == Refused(
        "the address bounced or complained before, so Postmark sends it nothing"
    )
    assert ALL["postmark"].read(Answer(422, b'{"ErrorCode": 999}')) == Refused(
        "Postmark: HTTP 422, code 999"
    )
    field = b'{"errors": [{"message": "ana@example.si is bad", "field": "from.email"}]}'
    assert ALL["sendgrid"].read(Answer(400, field)) == Refused("SendGrid: HTTP 400, from.email")
    assert ALL["sendgrid"].read(Answer(400, b"")) == Refused("SendGrid: HTTP 400")
    said = b'{"message": "to parameter is not a valid address: ana@example.si"}'
    assert ALL["mailgun"].read(Answer(400, said)) == Refused("HTTP 400")
