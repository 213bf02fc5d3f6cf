"""`throughline reconcile` against stand-ins: everything once, whatever happens."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import main
from deploy.reconcile import (
    ATTEMPTS,
    NotListed,
    Reconciler,
    Sink,
    guard_of,
    report,
    since_of,
    what_to_list,
)
from services.ingest.accounts import Door
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.domain.channels import ChannelsPolicy
from services.ingest.listers.registry import LISTERS
from services.ingest.senders.registry import SENDERS
from shared.errors import PolicyError, ThroughlineError, Unavailable
from tests.support.builders_ingest import (
    IDS,
    NOW,
    FakePublisher,
    FakeStore,
    StoppedClock,
    parse,
    payload,
)
from tests.support.builders_replies import sending_account
from tests.support.provider_stub import DROP, ProviderStub, Script, provider_stub
from tests.unit.test_ingest_listers import SID, twilio_message

SINCE = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
PATH = f"/2010-04-01/Accounts/{SID}/Messages.json"


@dataclass
class Pauses:
    """Pauses that take no time, written down."""

    taken: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        """Return at once."""
        self.taken.append(seconds)


def page(*messages: Any, following: str | None = None) -> Script:
    """Return Twilio's answer with these messages."""
    body = {"messages": list(messages), "next_page_uri": following}
    return Script(body=json.dumps(body).encode())


def messages(*numbers: int) -> list[dict[str, Any]]:
    return [twilio_message(sid=f"SM{number:02}") for number in numbers]


def reconciler(stub: ProviderStub, publisher: FakePublisher | None = None) -> Reconciler:
    """Return a reconciler of the fixtures' Twilio account at the stand-in."""
    options = {"account_sid": SID, "from": "+38615550101", "api_url": stub.url}
    account = sending_account("twilio", secrets={}, **options)
    door = Door(ADAPTERS["twilio"], account, SENDERS["twilio"])
    return Reconciler(
        door,
        LISTERS["twilio"],
        IDS,
        Sink(publisher, FakeStore()) if publisher else None,
        guard=guard_of("", door),
        pause=Pauses(),
        clock=StoppedClock(),
    )


def of_mails(stub: ProviderStub, sink: Sink) -> Reconciler:
    """Return a reconciler of the fixtures' Postmark account: it lists mails and fetches each."""
    options = {"from": "support@example.com", "api_url": stub.url}
    account = sending_account("postmark", secrets={"server_token": "t"}, **options)
    door = Door(ADAPTERS["postmark"], account, SENDERS["postmark"])
    guard = guard_of("", door)
    return Reconciler(
        door, LISTERS["postmark"], IDS, sink, guard=guard, pause=Pauses(), clock=StoppedClock()
    )


def mails(*ids: str) -> Script:
    return Script(
        body=json.dumps({"InboundMessages": [{"MessageID": one} for one in ids]}).encode()
    )


def mail() -> Script:
    return Script(body=payload("postmark", "message"))


async def run_mails(*script: Script) -> tuple[Reconciler, ProviderStub, FakePublisher, FakeStore]:
    """Reconcile mails against a stand-in that answers so."""
    publisher, store = FakePublisher(), FakeStore()
    async with provider_stub(Script(status=500)) as stub:
        stub.script = list(script)
        made = of_mails(stub, Sink(publisher, store))
        await made.run(SINCE)
        return made, stub, publisher, store


async def run(script: Sequence[Script], publisher: FakePublisher | None) -> tuple[Any, Any]:
    """Reconcile against a stand-in that answers so; return the reconciler and the stand-in."""
    async with provider_stub(Script(status=500)) as stub:
        stub.script = list(script)
        made = reconciler(stub, publisher)
        await made.run(SINCE)
        return made, stub


async def test_every_page_is_published_under_the_ids_the_webhook_gives() -> None:
    publisher = FakePublisher()
    made, stub = await run(
        [page(*messages(1, 2), following=f"{PATH}?Page=1"), page(*messages(3))], publisher
    )
    assert [asked.path for asked in stub.asked] == [
        f"{PATH}?DateSent%3E=2026-11-03&PageSize=100",
        f"{PATH}?Page=1",
    ]
    assert (made.listed, made.published, made.unreadable) == (3, 3, 0)
    (told,) = parse("twilio", "sms").events
    assert publisher.events[0].id == told.id
    assert len({event.id for event in publisher.events}) == 3


async def test_what_is_listed_twice_is_published_once() -> None:
    publisher = FakePublisher()
    await run([page(*messages(1, 1, 1))], publisher)
    assert len(publisher.events) == 1


async def test_a_second_run_publishes_the_same_ids() -> None:
    first, second = FakePublisher(), FakePublisher()
    await run([page(*messages(1, 2))], first)
    await run([page(*messages(2, 1))], second)
    assert {event.id for event in first.events} == {event.id for event in second.events}


async def test_what_a_list_only_names_is_fetched_and_a_mail_is_kept_as_the_hook_keeps_it() -> None:
    made, stub, publisher, store = await run_mails(mails("m-1"), mail())
    assert [asked.path.partition("?")[0] for asked in stub.asked] == [
        "/messages/inbound",
        "/messages/inbound/m-1/details",
    ]
    (event,) = publisher.events
    assert event.id == parse("postmark", "message").events[0].id
    assert event.data.original == f"blob:{next(iter(store.kept))}"
    assert (made.listed, made.published) == (1, 1)


async def test_no_event_is_published_whose_mail_could_not_be_kept() -> None:
    publisher = FakePublisher()
    async with provider_stub(Script(status=500)) as stub:
        stub.script = [mails("m-1"), mail()]
        with pytest.raises(Unavailable):
            await of_mails(stub, Sink(publisher, FakeStore(down=True))).run(SINCE)
    assert publisher.events == []


async def test_what_is_named_twice_is_fetched_once() -> None:
    made, stub, *_ = await run_mails(mails("m-1", "m-1"), mail())
    assert (len(stub.asked), made.listed) == (2, 1)


async def test_a_mail_that_is_gone_counts_as_not_read_and_the_rest_goes_on() -> None:
    made, _, publisher, _ = await run_mails(mails("m-1", "m-2"), Script(status=404), mail())
    assert (len(publisher.events), made.unreadable) == (1, 1)


async def test_a_list_that_is_not_there_is_no_gap_but_a_mistake() -> None:
    for script in ([Script(status=404)], [page(following=f"{PATH}?Page=1"), Script(status=404)]):
        with pytest.raises(NotListed, match="HTTP 404"):
            await run(script, FakePublisher())


async def test_a_dry_run_publishes_nothing() -> None:
    made, _ = await run([page(*messages(1, 2))], None)
    assert report(made, SINCE).startswith(
        "2 listed since 2026-11-03 08:00:00 UTC, 2 events would be published"
    )


async def test_a_provider_that_asks_for_patience_gets_it() -> None:
    script = [Script(status=429, headers={"retry-after": "7"}), Script(status=503), DROP]
    publisher = FakePublisher()
    made, _ = await run([*script, page(*messages(1))], publisher)
    assert made.pause.taken == [7.0, 2.0, 4.0]
    assert len(publisher.events) == 1


async def test_a_provider_that_stays_away_is_given_up_and_what_came_stays() -> None:
    publisher = FakePublisher()
    with pytest.raises(NotListed, match="HTTP 500"):
        await run([page(*messages(1), following=f"{PATH}?Page=1")], publisher)
    assert len(publisher.events) == 1


async def test_a_refusal_is_not_tried_again() -> None:
    async with provider_stub(Script(status=401, body=b"secret details")) as stub:
        with pytest.raises(NotListed, match="HTTP 401") as refused:
            await reconciler(stub, FakePublisher()).run(SINCE)
        assert len(stub.asked) == 1
    assert "secret details" not in str(refused.value)


async def test_pages_that_go_round_in_a_circle_end() -> None:
    again = page(*messages(1), following=f"{PATH}?Page=1")
    with pytest.raises(NotListed, match="circle"):
        await run([again, again, again], FakePublisher())


async def test_when_kafka_is_away_it_stops_and_says_so() -> None:
    with pytest.raises(Unavailable):
        await run([page(*messages(1))], FakePublisher(down=True))


async def test_what_cannot_be_read_is_counted_and_the_rest_goes_on() -> None:
    nobody = {"sid": "SM09", "direction": "inbound", "body": "who?"}
    publisher = FakePublisher()
    made, _ = await run([page(nobody, *messages(1))], publisher)
    assert (made.listed, made.published, made.unreadable) == (2, 1, 1)
    assert report(made, SINCE).endswith("; 1 could not be read")


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254", "http://10.0.0.1:8080", "http://example.com", "ftp://x", "x"]
)
async def test_another_base_is_asked_only_over_https_or_on_this_machine(url: str) -> None:
    async with provider_stub(Script(status=500)) as stub:
        made = reconciler(stub)
    options = {**made.door.account.options, "api_url": url}
    door = replace(made.door, account=replace(made.door.account, options=options))
    elsewhere = replace(made, door=door, guard=guard_of("", door))
    with pytest.raises(NotListed, match="may not be asked"):
        await elsewhere.run(SINCE)


def test_attempts_last_about_half_a_minute() -> None:
    assert sum(2.0**attempt for attempt in range(ATTEMPTS - 1)) == 31.0


@pytest.mark.parametrize(
    ("written", "since"),
    [
        ("2026-11-03T08:00:00Z", SINCE),
        ("2026-11-03T09:00:00+01:00", SINCE),
        ("75m", SINCE),
        ("2d", NOW - timedelta(days=2)),
    ],
)
def test_since_is_a_time_or_how_long_ago(written: str, since: datetime) -> None:
    assert since_of(written, NOW) == since


@pytest.mark.parametrize(
    "written", ["", "yesterday", "0h", "2026-11-03T08:00:00", "2027-01-01T00:00Z"]
)
def test_any_other_since_is_refused(written: str) -> None:
    with pytest.raises(ThroughlineError, match="time in the past"):
        since_of(written, NOW)


def policy(**options: str) -> ChannelsPolicy:
    entry = {
        "provider": "twilio",
        "account": "main",
        "secrets": {"auth_token": ["env:RECONCILE_TOKEN"]},
        "options": {"public_url": "https://hooks.example.com/hooks/twilio/main", **options},
    }
    other = {"provider": "email", "account": "x", "options": {"address": "support@example.com"}}
    return ChannelsPolicy.model_validate({"channel_accounts": [other, entry]})


def test_the_credentials_are_those_of_the_channel_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_TOKEN", "token")
    sending = {"account_sid": SID, "from": "+38615550101"}
    door, lister = what_to_list(policy(**sending), "twilio", "main")
    assert door.account.secrets["auth_token"] == (b"token",)
    assert lister.provider == "twilio"
    with pytest.raises(PolicyError, match="account_sid"):
        what_to_list(policy(), "twilio", "main")


@pytest.mark.parametrize(
    ("provider", "account", "why"),
    [("telegram", "main", "cannot list"), ("twilio", "other", "no channel account twilio/other")],
)
def test_what_cannot_be_listed_is_said(provider: str, account: str, why: str) -> None:
    with pytest.raises(ThroughlineError, match=why):
        what_to_list(policy(), provider, account)


def test_the_command_says_what_is_wrong_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "KAFKA": "127.0.0.1:1",
        "MONGODB": "mongodb://127.0.0.1:1",
        "ID_KEY": "0123456789abcdef",
        "POLICY": str(tmp_path),
    }.items():
        monkeypatch.setenv(f"THROUGHLINE_{name}", value)
    (tmp_path / "channels.yaml").write_text("version: 1\n", encoding="utf-8")
    assert main(["reconcile", "twilio", "--since", "6h", "--dry-run"]) == 1
    assert "no channel account twilio/main" in capsys.readouterr().err
