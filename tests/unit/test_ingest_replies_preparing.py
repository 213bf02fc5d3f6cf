"""Preparatory calls: made first, to the provider's own places only, never a reason for doubt."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.ingest.accounts import Door
from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain import limits
from services.ingest.domain.outcomes import Later, Refused
from services.ingest.outgoing import Guard
from services.ingest.replies.composing import compose
from services.ingest.replies.sending import NotPrepared, ask
from services.ingest.senders.contract import Answer, Call, File, NotSendable, Reply
from services.ingest.senders.slack import SlackSender
from services.ingest.senders.viber import ViberSender
from tests.support.builders_ingest import NOW
from tests.support.builders_replies import reply
from tests.support.provider_stub import DROP, HANG, Script, provider_stub
from tests.support.ways_out import door_of

UPLOAD = "/upload/v1/CwAB?x=1"


def slack(api_url: str | None = None) -> Door:
    """Return Slack's door, with another base for its calls if one is named."""
    door = door_of("slack")
    options = {**door.account.options, **({"api_url": api_url} if api_url else {})}
    return replace(door, account=replace(door.account, options=options))


def upload(url: str) -> Call:
    return Call(url, b"%PDF-1.7", {"content-type": "application/octet-stream"})


async def outcome_of(guard: Guard, door: Door, call: Call) -> Later | Refused:
    """Return why a preparatory call did not do its work."""
    with pytest.raises(NotPrepared) as failed:
        await ask(guard, door, call, NOW)
    return failed.value.outcome


async def test_an_upload_goes_to_the_base_that_stands_in_for_slack() -> None:
    async with provider_stub(Script(200, b"OK - 8")) as stub:
        for told in (f"https://files.slack.com{UPLOAD}", f"{stub.url}{UPLOAD}"):
            answer = await ask(Guard([stub.place]), slack(stub.url), upload(told), NOW)
            assert answer.body == b"OK - 8"
        assert [(asked.path, asked.body) for asked in stub.asked] == [(UPLOAD, b"%PDF-1.7")] * 2


@pytest.mark.parametrize("base", [None, "https://proxy.example.com"])
@pytest.mark.parametrize(
    "told",
    [
        f"https://files.slack.com.evil.example{UPLOAD}",
        f"https://evil.example{UPLOAD}",
        f"http://files.slack.com.{UPLOAD}",
        "https://169.254.169.254/latest/meta-data",
        "https://files.slack.com@evil.example/",
        "file:///etc/passwd",
        "",
    ],
)
async def test_an_address_that_an_answer_names_leads_nowhere_but_to_slack(
    base: str | None, told: str
) -> None:
    async def nobody(host: str, port: int) -> list[str]:
        raise AssertionError("no name may be asked for")

    outcome = await outcome_of(Guard(resolve=nobody), slack(base), upload(told))
    assert isinstance(outcome, Refused)
    assert outcome.reason.startswith("not allowed")
    assert "evil" not in outcome.reason


async def test_an_upload_goes_to_no_other_place_that_an_operator_trusts() -> None:
    async with provider_stub(Script()) as stub, provider_stub(Script()) as other:
        trusting = Guard([stub.place, other.place])
        for base in (None, stub.url):
            outcome = await outcome_of(trusting, slack(base), upload(f"{other.url}{UPLOAD}"))
            assert isinstance(outcome, Refused)
        assert other.asked == []


async def test_a_redirected_upload_is_followed_nowhere() -> None:
    async with provider_stub(Script()) as other:
        elsewhere = Script(307, headers={"location": other.url})
        async with provider_stub(elsewhere) as stub:
            both = Guard([stub.place, other.place])
            outcome = await outcome_of(both, slack(stub.url), upload(f"{stub.url}{UPLOAD}"))
        assert outcome == Refused("HTTP 307")
        assert other.asked == []


@pytest.mark.parametrize("answer", [DROP, HANG, Script(500), Script(503), Script(429)])
async def test_an_upload_that_nobody_vouches_for_is_tried_again(
    answer: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OUTGOING_SECONDS", 0.3)
    async with provider_stub(answer) as stub:
        call = upload(f"{stub.url}{UPLOAD}")
        outcome = await outcome_of(Guard([stub.place]), slack(stub.url), call)
        assert isinstance(outcome, Later)
        assert len(stub.asked) == 1


async def test_nobody_at_home_is_tried_again() -> None:
    async with provider_stub(Script()) as stub:
        pass
    outcome = await outcome_of(Guard([stub.place]), slack(stub.url), upload(stub.url + UPLOAD))
    assert isinstance(outcome, Later)


class Bytes:
    """Gives every file the same bytes."""

    async def get(self, reference: str, door: Door) -> tuple[str, bytes]:
        return "application/pdf", b"%PDF-1.7"


class Endless(SlackSender):
    """A sender that always wants one more call."""

    def prepare(
        self, reply: Reply, account: ChannelAccount, answers: Sequence[Answer]
    ) -> Call | None:
        """Return another upload."""
        return upload(f"https://files.slack.com{UPLOAD}")


async def test_as_many_files_as_a_reply_may_have_are_uploaded_one_after_the_other() -> None:
    asked: list[str] = []

    async def slacks(call: Call) -> Answer:
        asked.append(call.url.rpartition("/")[2])
        told = {"ok": True, "upload_url": f"https://files.slack.com{UPLOAD}"}
        return Answer(200, json.dumps({**told, "file_id": f"F{len(asked)}"}).encode())

    files = tuple(File(f"blob:{number}") for number in range(limits.REPLY_FILES))
    given = reply(reply_to="C0HELP", files=files)
    call = await compose(given, slack(), SlackSender(), Bytes(), slacks)
    assert isinstance(call, Call)
    assert len(json.loads(call.body)["files"]) == limits.REPLY_FILES
    assert asked == ["files.getUploadURLExternal", "CwAB?x=1"] * limits.REPLY_FILES


async def test_viber_is_told_how_much_we_fetched() -> None:
    async def nothing_first(call: Call) -> Answer:
        raise AssertionError("Viber needs one call only")

    paper = File("https://files.example.com/a.pdf", "application/pdf")
    given = reply(reply_to="01234567890A==", text="", files=(paper,))
    call = await compose(given, door_of("viber"), ViberSender(), Bytes(), nothing_first)
    assert isinstance(call, Call)
    assert json.loads(call.body)["size"] == len(b"%PDF-1.7")


async def test_a_sender_that_never_has_enough_is_stopped() -> None:
    asked: list[Call] = []

    async def taken(call: Call) -> Answer:
        asked.append(call)
        return Answer(200)

    with pytest.raises(NotSendable, match="too many"):
        await compose(reply(reply_to="C0HELP"), slack(), Endless(), Bytes(), taken)
    assert len(asked) == limits.REPLY_PREPARATIONS
