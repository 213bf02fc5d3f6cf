"""A conversation is the same in whatever order, and however often, its facts are heard."""

from dataclasses import replace
from datetime import timedelta
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.conversations import Conversation, Fact, hear
from services.ingest.domain.plus_address import conversation_of, plus_token, token_in, with_token
from shared.ids import KeyedIds, is_conversation_id
from tests.support.builders import NOON

IDS = KeyedIds("a key for tests only")
times = st.integers(0, 60).map(lambda minutes: NOON + timedelta(minutes=minutes))
words = st.sampled_from([f"w{n}" for n in range(40)])
maybe = st.none() | words


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    """Facts of one conversation; each has an id of its own, as events do."""
    return [
        Fact(
            "conv_1",
            f"evt_{number}",
            draw(times),
            "tests",
            "main",
            "chat",
            contact_points=tuple(draw(st.lists(words, max_size=3, unique=True))),
            reply_to=draw(maybe),
            subject=draw(maybe),
            message_id=draw(maybe),
            in_reply_to=draw(maybe),
            from_customer=draw(st.booleans()),
            automatic=draw(st.booleans()),
            window_closes_at=draw(st.none() | times),
            case_reference=draw(maybe),
            files=tuple((word, "image/png", "") for word in draw(st.lists(words, max_size=2))),
        )
        for number in range(draw(st.integers(1, 40)))
    ]


def heard(facts: list[Fact]) -> Conversation:
    return reduce(hear, facts, Conversation("conv_1"))


@given(st.data(), histories())
def test_order_does_not_matter(data: st.DataObject, facts: list[Fact]) -> None:
    assert heard(data.draw(st.permutations(facts))) == heard(facts)


@given(st.data(), histories())
def test_hearing_again_changes_nothing(data: st.DataObject, facts: list[Fact]) -> None:
    again = data.draw(st.lists(st.sampled_from(facts), max_size=20))
    assert heard([*facts, *again]) == heard(facts)


@given(st.data(), histories())
def test_facts_of_another_account_change_nothing(data: st.DataObject, facts: list[Fact]) -> None:
    known = heard(facts)
    places = [("tests", "other"), ("zzz", "main"), ("aaa", "main")]
    provider, account = data.draw(st.sampled_from(places))
    for fact in data.draw(histories()):
        foreign = replace(fact, event_id="evt_foreign", provider=provider, account=account)
        assert hear(known, foreign) == known


@given(st.text(), st.text(), st.text(), st.text(), st.text())
def test_a_conversation_is_of_its_own_account_only(
    provider: str, account: str, thread: str, other_provider: str, other_account: str
) -> None:
    conversation_id = IDS.conversation_id(provider, account, thread)
    assert is_conversation_id(conversation_id)
    assert IDS.is_conversation_of(conversation_id, provider, account)
    same = (provider, account) == (other_provider, other_account)
    assert IDS.is_conversation_of(conversation_id, other_provider, other_account) == same


@given(st.text())
def test_whatever_is_given_as_a_conversation_is_no_error(given_id: str) -> None:
    assert not IDS.is_conversation_of(given_id, "tests", "main")


@given(histories())
def test_lists_are_bounded_and_every_message_is_named_once(facts: list[Fact]) -> None:
    known = heard(facts)
    assert len(known.message_ids) == len(set(known.message_ids)) <= 21
    assert len(known.contact_points) == len(set(known.contact_points)) <= 50


@given(st.text(min_size=1))
def test_a_plus_address_leads_back_to_its_conversation(thread: str) -> None:
    conversation_id = IDS.conversation_id("email", "support", thread)
    address = with_token("support@example.com", plus_token(IDS, conversation_id))
    assert address is not None
    assert len(address.partition("@")[0]) <= 64
    assert conversation_of(IDS, token_in(address.upper()) or "") == conversation_id


@given(st.data())
def test_a_changed_token_leads_nowhere(data: st.DataObject) -> None:
    token = plus_token(IDS, IDS.conversation_id("email", "support", "x")) or ""
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567").filter(token[at].__ne__))
    assert conversation_of(IDS, token[:at] + other + token[at + 1 :]) is None


@given(st.text())
def test_whatever_stands_behind_a_plus_is_no_error(tag: str) -> None:
    assert conversation_of(IDS, tag) is None


def test_a_token_of_another_deployment_leads_nowhere() -> None:
    token = plus_token(KeyedIds("another key"), IDS.conversation_id("email", "support", "x"))
    assert conversation_of(IDS, token or "") is None


def test_a_mailbox_without_room_gets_no_plus_address() -> None:
    token = plus_token(IDS, IDS.conversation_id("email", "support", "x"))
    assert with_token(f"{'a' * 24}@example.com", token) is None
    assert with_token("support@example.com", plus_token(IDS, "thread-7")) is None
