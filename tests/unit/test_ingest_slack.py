"""Slack: signatures as Slack's own library makes them, threads, edits, and who is ours."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk.signature import SignatureVerifier

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.adapters.slack import Slack
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request, signed

ACCOUNT = ACCOUNTS["slack"]
BODY = payload("slack", "text")
ANA = "slack:T0EXAMPLE/U0ANA"
TIME = str(int(NOW.timestamp()))


def only(name: str) -> Any:
    """Return the one event of a fixture."""
    parsed = parse("slack", name)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def oracle(secret: str = "slack-signing-secret", body: bytes = BODY, time: str = TIME) -> str:
    made = SignatureVerifier(secret).generate_signature(timestamp=time, body=body)
    assert made is not None
    return made


def verify(*headers: tuple[str, str], body: bytes = BODY, now: datetime = NOW) -> None:
    given = tuple((name, value.encode()) for name, value in headers)
    Slack().verify(RawRequest(body, given), ACCOUNT, now)


def both(signature: str, time: str = TIME) -> tuple[tuple[str, str], ...]:
    return (("x-slack-signature", signature), ("x-slack-request-timestamp", time))


@pytest.mark.parametrize("secret", ["slack-signing-secret", "old-slack-secret"])
def test_what_slacks_library_signs_is_accepted_with_any_active_secret(secret: str) -> None:
    verify(*both(oracle(secret)))


def test_what_we_sign_slacks_library_accepts() -> None:
    class Now:
        def now(self) -> float:
            return NOW.timestamp()

    ours = signed("slack", BODY)
    headers = {name: value.decode() for name, value in ours.headers}
    library = SignatureVerifier("slack-signing-secret", clock=Now())  # type: ignore[arg-type]
    assert library.is_valid_request(BODY, headers)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ((), "missing"),
        ((("x-slack-signature", oracle()),), "missing"),
        ((("x-slack-request-timestamp", TIME),), "missing"),
        ((*both(oracle()), ("x-slack-signature", oracle())), "doubled"),
        ((*both(oracle()), ("x-slack-request-timestamp", TIME)), "doubled"),
        (both(oracle().removeprefix("v0=")), "malformed"),
        (both(oracle().upper()), "malformed"),
        (both(oracle(), "soon"), "wrong"),
        (both(oracle(), str(int(TIME) + 1)), "wrong"),
        (both(oracle("another")), "wrong"),
        (both(oracle(time=str(int(TIME) - 301)), str(int(TIME) - 301)), "stale"),
        (both(oracle(time=str(int(TIME) + 301)), str(int(TIME) + 301)), "stale"),
        (both(oracle(time="soon"), "soon"), "malformed"),
    ],
)
def test_any_other_signature_is_refused(headers: tuple[tuple[str, str], ...], reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify(*headers)
    assert refused.value.reason == reason


def test_a_changed_body_or_a_late_copy_is_refused() -> None:
    with pytest.raises(SignatureRefused):
        verify(*both(oracle()), body=BODY + b" ")
    with pytest.raises(SignatureRefused):
        verify(*both(oracle()), now=NOW + timedelta(seconds=301))


def test_the_challenge_is_given_back_and_nothing_else_is() -> None:
    media_type, body = Slack().reply(
        request("slack", payload("slack", "url-verification")), ACCOUNT
    )
    assert media_type == "application/json"
    assert json.loads(body) == {"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}
    for other in (BODY, b"", b"[]"):
        assert Slack().reply(request("slack", other), ACCOUNT) == Slack.answer
    assert parse("slack", "url-verification").ignored == ("url_verification",)


def test_a_direct_message_tells_who_wrote_what_when_and_where_to_answer() -> None:
    event = only("text")
    assert event.type == "throughline.message.received.v1"
    assert event.data.text == "Is my parcel on its way?"
    assert event.data.contact_points == (ANA,)
    assert event.data.reply_to == "D0ANA"
    assert event.data.message_id == "D0ANA/1762160400.000100"
    assert event.time == datetime(2025, 11, 3, 9, 0, tzinfo=UTC)  # whole milliseconds


def test_slacks_three_escapes_are_undone() -> None:
    assert only("escaped").data.text == "Is parcel <4711> on its way & when?"


def test_a_thread_in_a_channel_is_answered_in_the_thread() -> None:
    opening, following = only("channel"), only("thread")
    assert opening.data.reply_to == following.data.reply_to == "C0HELP/1762160400.000400"
    assert following.data.in_reply_to == opening.data.message_id
    assert opening.data.in_reply_to is None
    assert opening.data.conversation_id == following.data.conversation_id


def test_a_message_told_again_as_a_mention_is_the_same_event() -> None:
    assert only("mention").id == only("channel").id


def test_a_file_is_referred_to_by_its_private_address() -> None:
    data = only("file").data
    assert data.kind == "image"
    (file,) = data.attachments
    assert (file.media_type, file.name, file.size) == ("image/png", "pokrov.png", 182000)
    assert file.reference.startswith("https://files.slack.com/")


def test_an_edit_names_the_original_but_an_unfolded_link_is_no_edit() -> None:
    edited = only("edited")
    assert edited.data.message_id == only("channel").data.message_id
    assert edited.data.text == "Our import fails"
    assert edited.time == datetime(2025, 11, 3, 9, 1, 20, tzinfo=UTC)
    assert parse("slack", "unfurled").ignored == ("change of no customer's text",)


@pytest.mark.parametrize("name", ["deleted", "tombstone"])
def test_a_deletion_names_the_original_also_when_others_had_answered(name: str) -> None:
    event = only(name)
    assert event.type == "throughline.message.deleted.v1"
    assert event.data.message_id == only("channel").data.message_id
    assert event.data.conversation_id == only("channel").data.conversation_id


def test_a_reaction_can_be_taken_back() -> None:
    given, taken = only("reaction").data, only("reaction-removed").data
    assert (given.reaction, given.removed, taken.removed) == ("thumbsup", False, True)
    assert given.message_id == taken.message_id == "C0HELP/1762160420.000000"


def test_our_own_messages_are_ignored_by_bot_id_and_by_the_authorised_user() -> None:
    assert parse("slack", "own-message").ignored == ("our own message",)
    account = replace(ACCOUNT, options={})
    body = request("slack", payload("slack", "own-message"))
    assert Slack().parse(body, account, NOW, IDS).ignored == ("our own message",)


def test_a_file_of_ours_is_ignored_though_slack_names_no_bot_with_files() -> None:
    told = json.loads(payload("slack", "own-message"))
    told["event"] |= {"subtype": "file_share", "files": [{"id": "F0LID"}]}
    for name in ("bot_id", "app_id", "team"):
        del told["event"][name]
    body = request("slack", json.dumps(told).encode())
    parsed = Slack().parse(body, replace(ACCOUNT, options={}), NOW, IDS)
    assert (parsed.ignored, parsed.events) == (("our own message",), ())


def test_a_colleague_of_our_team_answers_the_customer_who_opened_the_thread() -> None:
    event = only("colleague")
    assert event.type == "throughline.message.sent.v1"
    assert (event.data.sender, event.data.echo) == ("agent", True)
    assert event.data.contact_points == (ANA,)
    assert event.data.conversation_id == only("channel").data.conversation_id


def test_without_own_team_everybody_is_a_customer() -> None:
    body = request("slack", payload("slack", "colleague"))
    (event,) = Slack().parse(body, replace(ACCOUNT, options={}), NOW, IDS).events
    assert event.data.contact_points == ("slack:T0EXAMPLE/U0BOJAN",)


def test_another_bot_in_the_thread_is_a_bot_of_ours() -> None:
    assert (only("other-bot").data.sender, only("other-bot").data.echo) == ("bot", True)


@pytest.mark.parametrize(("name", "kind"), [("joined", "channel_join"), ("unknown", "star_added")])
def test_what_has_no_word_here_is_kept_whole(name: str, kind: str) -> None:
    event = only(name)
    assert event.type == "throughline.contact.unrecognised.v1"
    assert event.data.kind == kind
    assert event.data.contact_points == (ANA,)


def test_notices_are_ignored_by_name() -> None:
    assert parse("slack", "rate-limited").ignored == ("app_rate_limited",)
    assert parse("slack", "home-opened").ignored == ("app_home_opened",)


def test_an_event_without_its_channel_becomes_a_dead_letter() -> None:
    event = json.loads(BODY)
    del event["event"]["channel"]
    parsed = Slack().parse(request("slack", json.dumps(event).encode()), ACCOUNT, NOW, IDS)
    assert [part.error for part in parsed.broken] == ["channel: missing"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type": "block_actions"}'])
def test_a_body_that_is_no_event_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        Slack().parse(request("slack", body), ACCOUNT, NOW, IDS)
