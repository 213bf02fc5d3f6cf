"""Messenger and Instagram: what they share, and where a receipt or a story differs."""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import RawRequest, SignatureRefused
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request

BOTH = ("messenger", "instagram")
ANA = {
    "messenger": "messenger:900100/700200300400500",
    "instagram": "instagram:178414/5550200300400",
}
SENT = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)


def only(provider: str, name: str) -> Any:
    """Return the one event of a fixture."""
    parsed = parse(provider, name)
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def signature(body: bytes, secret: bytes = b"meta-app-secret") -> bytes:
    return b"sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest().encode()


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize("secret", [b"meta-app-secret", b"old-meta-app-secret"])
def test_metas_signature_is_accepted_with_any_active_secret(provider: str, secret: bytes) -> None:
    body = payload(provider, "text")
    signed = RawRequest(body, (("x-hub-signature-256", signature(body, secret)),))
    ADAPTERS[provider].verify(signed, ACCOUNTS[provider], NOW)


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((), "missing"),
        ((signature(b"{}"),) * 2, "doubled"),
        ((signature(b"{}").replace(b"sha256", b"sha1"),), "malformed"),
        ((signature(b"{}")[:-2],), "malformed"),
        ((signature(b"{} "),), "wrong"),
        ((signature(b"{}", b"verify-me"),), "wrong"),
    ],
)
def test_any_other_signature_is_refused(
    provider: str, values: tuple[bytes, ...], reason: str
) -> None:
    headers = tuple(("x-hub-signature-256", value) for value in values)
    with pytest.raises(SignatureRefused) as refused:
        ADAPTERS[provider].verify(RawRequest(b"{}", headers), ACCOUNTS[provider], NOW)
    assert refused.value.reason == reason


@pytest.mark.parametrize("provider", BOTH)
def test_the_challenge_is_echoed_to_who_knows_the_token(provider: str) -> None:
    query = "hub.mode=subscribe&hub.verify_token={}&hub.challenge=1158201444"
    adapter, account = ADAPTERS[provider], ACCOUNTS[provider]
    assert adapter.challenge(query.format("verify-me"), account) == b"1158201444"
    with pytest.raises(SignatureRefused):
        adapter.challenge(query.format("other"), account)


@pytest.mark.parametrize("provider", BOTH)
def test_a_message_opens_the_service_window_for_a_day(provider: str) -> None:
    event = only(provider, "text")
    assert event.type == "throughline.message.received.v1"
    assert event.data.text == "Is the blue one in stock?"
    assert event.data.contact_points == (ANA[provider],)
    assert event.data.reply_to == ANA[provider].partition("/")[2]
    assert event.time == event.data.occurred_at == SENT
    assert event.data.window_closes_at == datetime(2025, 11, 4, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize("provider", BOTH)
def test_an_echo_is_our_message_to_the_customer_and_opens_no_window(provider: str) -> None:
    event = only(provider, "echo")
    assert event.type == "throughline.message.sent.v1"
    assert (event.data.sender, event.data.echo) == ("agent", True)
    assert event.data.contact_points == (ANA[provider],)
    assert event.data.conversation_id == only(provider, "text").data.conversation_id
    assert event.data.window_closes_at is None


@pytest.mark.parametrize("provider", BOTH)
def test_the_echo_of_our_own_app_is_ignored(provider: str) -> None:
    parsed = parse(provider, "own-echo")
    assert (parsed.events, parsed.ignored) == ((), ("echo of our own app",))


@pytest.mark.parametrize("provider", BOTH)
def test_an_unsent_message_is_taken_back(provider: str) -> None:
    event = only(provider, "unsent")
    assert event.type == "throughline.message.deleted.v1"
    assert event.data.message_id == only(provider, "text").data.message_id
    assert event.id != only(provider, "text").id


@pytest.mark.parametrize("provider", BOTH)
def test_a_reaction_can_be_taken_back(provider: str) -> None:
    given, taken = only(provider, "reaction"), only(provider, "reaction-removed")
    assert (given.data.reaction, given.data.removed) == ("❤️", False)
    assert (taken.data.reaction, taken.data.removed) == (None, True)
    assert given.data.message_id == taken.data.message_id
    assert given.id != taken.id


@pytest.mark.parametrize("provider", BOTH)
def test_a_reply_and_an_image_keep_their_references(provider: str) -> None:
    assert only(provider, "reply").data.in_reply_to.endswith(".ours.7")
    image = only(provider, "image").data
    assert image.kind == "image"
    assert image.attachments[0].reference == "https://cdn.example.com/broken-lid.jpg"


@pytest.mark.parametrize("provider", BOTH)
def test_a_postback_is_a_choice_and_opens_the_window(provider: str) -> None:
    data = only(provider, "postback").data
    assert (data.menu, data.choice) == ("TRACK", "Track my parcel")
    assert data.window_closes_at == datetime(2025, 11, 4, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize("provider", BOTH)
def test_a_quick_reply_is_a_message_whose_payload_is_kept(provider: str) -> None:
    data = only(provider, "quick-reply").data
    assert (data.kind, data.text) == ("text", "Returns")
    assert data.raw["message"]["quick_reply"] == {"payload": "RETURNS"}


@pytest.mark.parametrize("provider", BOTH)
def test_what_has_no_word_here_is_kept_whole(provider: str) -> None:
    event = only(provider, "referral")
    assert event.type == "throughline.contact.unrecognised.v1"
    assert (event.data.kind, event.data.raw["referral"]["ref"]) == ("referral", "summer-sale")


@pytest.mark.parametrize("provider", BOTH)
def test_a_message_that_another_app_has_in_hand_is_a_message(provider: str) -> None:
    assert only(provider, "standby").data.text == "Hello, robot?"
    assert parse(provider, "handover").ignored == ("hand-over between apps",)


@pytest.mark.parametrize("provider", BOTH)
def test_one_broken_item_is_put_aside_alone(provider: str) -> None:
    parsed = parse(provider, "batch-with-one-broken")
    assert [event.data.text for event in parsed.events] == ["one", "three"]
    (part,) = parsed.broken
    assert part.error == "mid: missing"
    alone = ADAPTERS[provider].parse(request(provider, part.body), ACCOUNTS[provider], NOW, IDS)
    assert [again.body for again in alone.broken] == [part.body]


@pytest.mark.parametrize("provider", BOTH)
def test_items_of_another_page_are_put_aside(provider: str) -> None:
    account = replace(ACCOUNTS[provider], options={"page_id": "1"})
    body = request(provider, payload(provider, "text"))
    parsed = ADAPTERS[provider].parse(body, account, NOW, IDS)
    assert [part.error for part in parsed.broken] == ["entry.id: another page's"]


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize("body", [b"", b"[]", b'{"object": "user"}', b'{"object": "page"}'])
def test_a_body_that_makes_no_sense_is_unparseable(provider: str, body: bytes) -> None:
    with pytest.raises(Unparseable):
        ADAPTERS[provider].parse(request(provider, body), ACCOUNTS[provider], NOW, IDS)


def test_messenger_tells_until_when_everything_was_read() -> None:
    data = only("messenger", "read").data
    assert (data.message_id, data.status) == (None, "read")
    assert data.up_to == datetime(2025, 11, 3, 8, 59, 59, tzinfo=UTC)


def test_instagram_tells_which_message_was_read() -> None:
    data = only("instagram", "read").data
    assert (data.message_id, data.up_to, data.status) == ("aWdfZAG.ours.7", None, "read")


def test_each_delivered_message_of_messenger_has_its_receipt() -> None:
    events = parse("messenger", "delivered").events
    assert [event.data.message_id for event in events] == ["m_mess.ours.7", "m_mess.ours.8"]
    assert {event.data.status for event in events} == {"delivered"}


def test_an_edit_on_messenger_names_the_original() -> None:
    data = only("messenger", "edited").data
    assert (data.message_id, data.text) == ("m_mess.1", "Is the GREEN one in stock?")


@pytest.mark.parametrize(
    ("provider", "name", "kind", "text"),
    [
        ("messenger", "location", "location", "46.05, 14.5"),
        ("messenger", "shared-link", "text", "A blue jug"),
        ("messenger", "sticker", "sticker", None),
        ("instagram", "story-mention", "story-mention", None),
        ("instagram", "unsupported", "unknown", None),
        ("instagram", "test-button", "text", "A test"),
    ],
)
def test_every_kind_is_mapped(provider: str, name: str, kind: str, text: str | None) -> None:
    data = only(provider, name).data
    assert (data.kind, data.text) == (kind, text)


def test_a_reply_to_a_story_names_the_story() -> None:
    data = only("instagram", "story-reply").data
    assert data.in_reply_to == "story-2"
    assert data.raw["message"]["reply_to"]["story"]["id"] == "story-2"


def test_a_comment_is_kept_whole_and_our_own_is_ignored() -> None:
    for provider, name, kind in (
        ("instagram", "comment", "comments"),
        ("messenger", "feed-comment", "feed"),
    ):
        event = only(provider, name)
        assert (event.data.kind, event.data.contact_points) == (kind, (ANA[provider],))
    assert parse("instagram", "own-comment").ignored == ("notice without a customer",)


def test_without_app_id_every_echo_is_told() -> None:
    account = replace(ACCOUNTS["messenger"], options={})
    body = request("messenger", payload("messenger", "own-echo"))
    (event,) = ADAPTERS["messenger"].parse(body, account, NOW, IDS).events
    assert event.type == "throughline.message.sent.v1"


def test_a_number_that_is_no_time_leaves_the_message_to_count_when_it_came() -> None:
    notification = json.loads(payload("messenger", "text"))
    notification["entry"][0]["messaging"][0]["timestamp"] = "soon"
    body = request("messenger", json.dumps(notification).encode())
    (event,) = ADAPTERS["messenger"].parse(body, ACCOUNTS["messenger"], NOW, IDS).events
    assert event.data.occurred_at is None and event.data.window_closes_at is None
    assert event.time == NOW
