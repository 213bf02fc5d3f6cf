"""Amazon's signatures: equal to the vectors Amazon published, made as late as the call is."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.accounts import Door
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.outgoing import Guard
from services.ingest.replies.sending import attempt
from services.ingest.senders.aws_signature import AwsKey
from services.ingest.senders.contract import Call, Outcome, Reply, Sent
from services.ingest.senders.registry import SENDERS
from tests.support.builders_ingest import NOW
from tests.support.builders_replies import reply, sending_account
from tests.support.provider_stub import Asked, Script, provider_stub

# Amazon's test suite for Signature Version 4, and the example in its pages on signing (IAM)
THEN = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
KEY = AwsKey("AKIDEXAMPLE", b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service")
URL = "https://example.amazonaws.com/"
FORM = {"content-type": "application/x-www-form-urlencoded"}
BARE = Call(URL, b"", method="GET")
PUBLISHED = {
    "get-vanilla": (BARE, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "post-vanilla": (
        replace(BARE, method="POST"),
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "get-vanilla-query-order-key-case": (
        replace(BARE, url=f"{URL}?Param2=value2&Param1=value1"),
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "post-x-www-form-urlencoded": (
        Call(URL, b"Param1=value1", FORM),
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
}


def signature(key: AwsKey, call: Call, now: datetime = THEN) -> str:
    return key.sign(call, now)["authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_signature_is_the_one_amazon_published(name: str) -> None:
    call, published = PUBLISHED[name]
    assert signature(KEY, call) == published


def test_it_says_whose_it_is_and_what_it_covers() -> None:
    call, published = PUBLISHED["post-x-www-form-urlencoded"]
    assert KEY.sign(call, THEN) == {
        "x-amz-date": "20150830T123600Z",
        "authorization": "AWS4-HMAC-SHA256 "
        "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=content-type;host;x-amz-date, Signature={published}",
    }


def test_the_example_of_amazons_pages_is_signed_as_there() -> None:
    url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"
    header = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    published = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    assert signature(replace(KEY, service="iam"), Call(url, b"", header, "GET")) == published


def test_everything_that_is_sent_is_covered() -> None:
    call = Call(f"{URL}a?b=c", b"body", {"content-type": "text/plain"})
    others = [
        replace(call, url=f"{URL}b?b=c"),
        replace(call, url=f"{URL}a?b=d"),
        replace(call, url="https://elsewhere.example.com/a?b=c"),
        replace(call, body=b"other"),
        replace(call, headers={"content-type": "text/html"}),
        replace(call, method="PUT"),
    ]
    keys = [replace(KEY, secret=b"x"), replace(KEY, region="x"), replace(KEY, service="x")]
    signatures = [signature(KEY, other) for other in (call, *others)]
    signatures += [signature(key, call) for key in keys]
    signatures.append(signature(KEY, call, THEN + timedelta(seconds=1)))
    assert len(set(signatures)) == len(signatures)


def test_the_secret_never_shows() -> None:
    assert "EXAMPLEKEY" not in repr(KEY)
    assert "AKIDEXAMPLE" not in repr(Call(URL, b"", signer=KEY))


async def nobody(_: Reply) -> Outcome:
    raise AssertionError("a mail leaves through Amazon")


async def sent_by_ses(at: datetime) -> Asked:
    """Send a reply to a stand-in for Amazon SES, and return what it was asked."""
    async with provider_stub(Script(body=b'{"MessageId": "0102"}')) as stub:
        account = sending_account(
            "ses",
            secrets={"secret_access_key": "aws-1"},
            access_key_id="AKIDEXAMPLE",
            region="eu-west-1",
            api_url=stub.url,
            **{"from": "support@example.com"},
        )
        door = Door(ADAPTERS["ses"], account, SENDERS["ses"])
        mail = reply(contact_points=("email:ana.kovac@example.si",))
        composed = SENDERS["ses"].compose(mail, account)
        assert await attempt(Guard([stub.place]), door, composed, nobody, at) == Sent("0102")
        return stub.asked[0]


async def test_a_reply_is_signed_for_where_it_goes_when_it_goes() -> None:
    asked = await sent_by_ses(NOW + timedelta(hours=20))  # it waited: the call was made long before
    assert asked.headers["x-amz-date"] == "20261104T051500Z"
    url = f"http://{asked.headers['host']}{asked.path}"
    there = Call(url, asked.body, {"content-type": asked.headers["content-type"]})
    key = AwsKey("AKIDEXAMPLE", b"aws-1", "eu-west-1", "ses")
    signed = key.sign(there, NOW + timedelta(hours=20))
    assert asked.headers["authorization"] == signed["authorization"]
    assert asked.path == "/v2/email/outbound-emails"
    assert "Raw" in json.loads(asked.body)["Content"]
