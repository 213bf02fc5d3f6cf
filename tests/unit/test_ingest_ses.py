"""Amazon SES through SNS: a signature checked by a certificate we hold, and nothing fetched."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.ingest.adapters.contract import Parsed, Unparseable
from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.ses import Ses
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, payload

ACCOUNT = ACCOUNTS["ses"]
TOPIC = ACCOUNT.options["topic_arn"]
ANA = "email:ana.kovac@example.si"


def message(name: str = "message", **changes: Any) -> dict[str, Any]:
    told = {**json.loads(payload("ses", name)), **changes}
    return {name: value for name, value in told.items() if value is not None}


def signed(told: dict[str, Any], version: str = "2", which: int = 0) -> dict[str, Any]:
    """Sign as Amazon's page says: the named fields by name, each name and value on a line."""
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if told["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{told[name]}\n" for name in names if name in told)
    key: Any = load_pem_private_key(ACCOUNT.secrets["private_key"][which], None)
    raw = key.sign(text.encode(), PKCS1v15(), SHA256() if version == "2" else SHA1())
    return {**told, "SignatureVersion": version, "Signature": base64.b64encode(raw).decode()}


def verify(told: Any, account: ChannelAccount = ACCOUNT, now: datetime = NOW) -> None:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    Ses().verify(RawRequest(body), account, now)


def refusal(told: Any, **changes: Any) -> str:
    with pytest.raises(SignatureRefused) as refused:
        verify(told, **changes)
    return refused.value.reason


def parsed(name: str, inner: dict[str, Any] | None = None, **changes: Any) -> Parsed:
    told = message(name, **changes)
    if inner is not None:
        told["Message"] = json.dumps({**json.loads(told["Message"]), **inner})
    return Ses().parse(RawRequest(json.dumps(told).encode()), ACCOUNT, NOW, IDS)


def only(name: str, inner: dict[str, Any] | None = None) -> Any:
    found = parsed(name, inner)
    assert found.broken == ()
    (event,) = found.events
    return event


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("which", [0, 1])
def test_both_versions_are_accepted_by_either_certificate(version: str, which: int) -> None:
    verify(signed(message(), version, which))


def test_a_message_without_a_subject_is_signed_without_it() -> None:
    verify(signed(message(Subject=None)))


def test_a_confirmation_is_signed_over_other_fields() -> None:
    verify(signed(message("subscription")))
    stolen = {**signed(message("subscription")), "SubscribeURL": "https://evil.example.com/"}
    assert refusal(stolen) == "wrong"


def test_a_key_of_sha_1_does_not_pass_for_sha_256() -> None:
    assert refusal({**signed(message(), "1"), "SignatureVersion": "2"}) == "wrong"


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "https://user@sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem?x=.pem",
        "https://sns.eu-west-1.amazonaws.com/../a.pem",
        "https://s3.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem\n",
    ],
)
def test_a_certificate_from_elsewhere_is_refused_though_the_signature_is_right(url: str) -> None:
    assert refusal(signed(message(SigningCertURL=url))) == "wrong"


def test_amazons_addresses_in_china_are_amazons() -> None:
    url = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem"
    verify(signed(message(SigningCertURL=url)))


def test_another_topic_is_refused_though_the_signature_is_right() -> None:
    assert refusal(signed(message(TopicArn=TOPIC + "-2"))) == "wrong"
    assert refusal(signed(message("subscription", TopicArn="arn:aws:sns:x:1:y"))) == "wrong"


GOOD = signed(message())


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b'{"TopicArn": "\\ud800"}', "wrong"),
        ({}, "missing"),
        ({**GOOD, "Signature": ""}, "missing"),
        ({**GOOD, "Signature": None}, "missing"),
        ({**GOOD, "Signature": 1}, "malformed"),
        ({**GOOD, "Signature": "!"}, "malformed"),
        ({**GOOD, "Signature": "A" * 2_000}, "malformed"),
        ({**GOOD, "Signature": "AAAA"}, "wrong"),
        ({**GOOD, "SignatureVersion": "3"}, "malformed"),
        ({**GOOD, "SignatureVersion": "1"}, "wrong"),
        ({**GOOD, "Type": "Other"}, "malformed"),
        ({**GOOD, "Type": "SubscriptionConfirmation"}, "missing"),
        ({**GOOD, "Timestamp": "yesterday"}, "malformed"),
        ({**GOOD, "Timestamp": "2026-11-03T09:14:58.517Z"}, "wrong"),
        ({**GOOD, "Message": GOOD["Message"] + " "}, "wrong"),
        ({**GOOD, "Message": "\ud800"}, "malformed"),
        ({**GOOD, "MessageId": "another"}, "wrong"),
        ({**GOOD, "Subject": "another"}, "wrong"),
        ({**GOOD, "Subject": None}, "wrong"),
    ],
)
def test_any_other_message_is_refused(told: Any, reason: str) -> None:
    assert refusal(told) == reason


def test_a_message_counts_as_long_as_sns_may_try_again() -> None:
    published = datetime(2026, 11, 3, 9, 14, 58, tzinfo=UTC)
    verify(GOOD, now=published + timedelta(hours=1))
    assert refusal(GOOD, now=published + timedelta(hours=1, minutes=6)) == "stale"
    assert refusal(GOOD, now=published - timedelta(hours=1, minutes=6)) == "stale"


@pytest.mark.parametrize("pem", [b"", b"nonsense", ACCOUNT.secrets["private_key"][0]])
def test_what_is_no_certificate_verifies_nothing(pem: bytes) -> None:
    assert refusal(GOOD, account=replace(ACCOUNT, secrets={"certificate": (pem,)})) == "wrong"


def test_a_mail_inside_the_notification_is_read_as_by_smtp() -> None:
    event = only("message")
    assert event.data.contact_points == (ANA,)
    assert (event.data.subject, event.data.text) == ("My parcel", "Where is my parcel?")
    assert event.data.provider_event_id == "jili9m351il3gkburn7o2f0u6788stij94c8ld01"
    assert event.data.message_id == "a1@mail.example.si"
    assert event.time == NOW


def test_a_mail_in_base64_keeps_its_charset() -> None:
    assert only("base64").data.text == "Kje je račun?"


def test_an_answer_is_in_the_conversation_it_answers() -> None:
    assert only("reply").data.text == "Thank you!"
    assert only("reply").data.conversation_id == only("message").data.conversation_id


def test_files_come_with_the_mail() -> None:
    (file,) = only("attachment").data.attachments
    assert (file.name, file.media_type, file.size) == ("invoice.pdf", "application/pdf", 19)


def test_a_mail_in_s3_is_a_message_with_the_mail_as_its_file() -> None:
    event = only("in-s3")
    assert (event.data.subject, event.data.text) == ("A large mail", None)
    assert event.data.contact_points == (ANA,)
    (file,) = event.data.attachments
    assert file.reference == "s3://inbound-mail-example/inbound/jili08"
    assert file.media_type == "message/rfc822"


def test_a_subscription_fetches_nothing_and_waits_for_the_operator() -> None:
    found = parsed("subscription")
    assert (found.events, found.ignored) == ((), ("SubscriptionConfirmation",))
    (ask,) = found.broken
    assert b"SubscribeURL" in ask.body


def test_what_ses_says_when_it_is_set_up_is_ignored() -> None:
    assert parsed("set-up").ignored == ("text",)


def test_news_of_our_mail_say_how_far_it_got_by_amazons_clock() -> None:
    event = only("delivery")
    assert (event.data.message_id, event.data.status) == ("0102018b-aaaa", "delivered")
    assert event.data.contact_points == (ANA,)
    assert event.time == datetime(2026, 11, 3, 9, 0, 2, 500_000, tzinfo=UTC)


def test_news_are_in_the_conversation_we_gave_amazon_as_a_tag() -> None:
    def tagged(*values: Any) -> str:
        told = json.loads(message("delivery")["Message"])["mail"]
        mail = {**told, "tags": {"throughline-conversation": list(values)}}
        found: str = only("delivery", {"mail": mail}).data.conversation_id
        return found

    ours = IDS.conversation_id("ses", ACCOUNT.name, "any")
    assert tagged(ours) == ours
    assert tagged(7, ours) == ours
    assert tagged("conv_nonsense") == tagged() == only("delivery").data.conversation_id


def test_a_bounce_says_why_and_a_passing_one_is_none() -> None:
    event = only("bounce")
    assert (event.data.status, event.data.reason) == ("failed", "smtp; 550 5.1.1 No such mailbox")
    told = json.loads(message("bounce")["Message"])["bounce"]
    assert only("bounce", {"bounce": {**told, "bounceType": "Transient"}}).data.status == "queued"


def test_a_notification_about_several_recipients_is_an_event_for_each() -> None:
    told = json.loads(message("bounce")["Message"])["bounce"]
    people = [
        {"emailAddress": "a@example.com"},
        {"emailAddress": "none"},
        *told["bouncedRecipients"],
    ]
    found = parsed("bounce", {"bounce": {**told, "bouncedRecipients": people}})
    assert [event.data.contact_points for event in found.events] == [
        ("email:a@example.com",),
        (ANA,),
    ]
    assert [part.error for part in found.broken] == ["recipient: missing"]


def test_a_complaint_is_kept_whole() -> None:
    event = only("complaint")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert event.data.kind == "Complaint"


@pytest.mark.parametrize(
    ("inner", "error"),
    [
        ({"notificationType": None}, "Message: neither notificationType nor eventType"),
        ({"mail": {}}, "mail.messageId: missing"),
        ({"content": "a", "receipt": {"action": {"encoding": "BASE64"}}}, "content: no base64"),
    ],
)
def test_a_notification_that_makes_no_sense_is_unparseable(
    inner: dict[str, Any], error: str
) -> None:
    with pytest.raises(Unparseable) as refused:
        parsed("message", inner)
    assert refused.value.error == error


def test_news_about_nobody_are_put_aside() -> None:
    assert parsed("delivery", {"mail": {}}).broken[0].error == "recipients: missing"
