"""Events survive the wire, ids depend on what they are made from and on nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.generate import event_types
from shared.events import Event, OpaqueEvent, Undecodable, decode, encode
from shared.events.contact import MessageReceived
from shared.events.customers import CustomerIdentified, CustomerIdentifiedData
from shared.events.topics import CONTACT_TOPIC, HOME, TOPICS
from shared.ids import KeyedIds, derived_id, provider_event_id
from tests.support.builders import NOON
from tests.support.strategies import JSON, models

PARTS = st.lists(st.text(st.characters(exclude_characters="\x1f")), min_size=1, max_size=4)
TYPES = pytest.mark.parametrize("kind", event_types(), ids=lambda kind: kind.wire_type)


@TYPES
@settings(max_examples=25)
@given(data=st.data())
def test_an_event_comes_back_as_it_was_sent(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(models(kind))
    back = decode(HOME[kind.wire_type].name, encode(event))
    assert type(back) is kind
    assert back == event


@given(models(OpaqueEvent), st.sampled_from(TOPICS))
def test_an_event_of_an_unknown_type_comes_back_as_it_was_sent(event: Any, topic: Any) -> None:
    unknown = event.model_copy(update={"type": f"com.example.{event.type}"})
    assert decode(topic.name, encode(unknown)) == unknown


@given(st.binary())
def test_bytes_that_are_no_event_are_undecodable_and_the_error_does_not_repeat_them(
    value: bytes,
) -> None:
    with pytest.raises(Undecodable) as refused:
        decode(CONTACT_TOPIC.name, b"private:" + value)
    assert "private" not in str(refused.value)


@given(models(MessageReceived), st.sampled_from(sorted(MessageReceived.model_fields)), JSON)
def test_a_damaged_event_is_an_event_or_undecodable_and_nothing_else(
    event: Any, field: str, value: Any
) -> None:
    damaged = event.model_dump(mode="json") | {field: value}
    raw = json.dumps(damaged).encode()
    try:
        assert isinstance(decode(CONTACT_TOPIC.name, raw), Event)
    except Undecodable as refused:
        assert refused.__cause__ is None


# ids


@given(PARTS)
def test_the_same_parts_give_the_same_id(parts: list[str]) -> None:
    assert derived_id("evt", *parts) == derived_id("evt", *parts)


@given(PARTS, PARTS)
def test_different_parts_give_different_ids(one: list[str], other: list[str]) -> None:
    assert (derived_id("evt", *one) == derived_id("evt", *other)) == (one == other)


def test_ids_are_what_they_have_always_been() -> None:
    """Data that is kept refers to ids: a change here is a migration, never a refactoring."""
    assert derived_id("evt", "cause", "type") == "evt_6ba3871bd73d78038276228b42cbb08b"
    assert (
        provider_event_id("whatsapp", "shop", "wamid.1") == "evt_61bbc4a70dc0f8e53626ca359883b083"
    )
    assert (
        KeyedIds("a key").customer_id("email:ana@example.com")
        == "cust_359477e4db8f7967963baad799ee00ff"
    )


@given(st.text(), st.text(), st.text(min_size=1))
def test_ids_of_addresses_differ_under_another_key(one: str, other: str, address: str) -> None:
    ids = KeyedIds(one).customer_id(address), KeyedIds(other).customer_id(address)
    assert (ids[0] == ids[1]) == (one == other)


@given(st.text(min_size=1), st.text(min_size=1), st.text())
def test_deciding_twice_gives_the_same_event(cause: str, key: str, about: str) -> None:
    def decided(about: str) -> Event:
        point = CustomerIdentifiedData(customer_id="cust_1", contact_point="chat:visitor-1")
        return CustomerIdentified.following(
            cause, point, source="/tests", time=NOON, key=key, about=about
        )

    assert decided(about) == decided(about)
    assert decided(about).id != decided(f"{about}, and more").id
    assert decided(about).causationid == cause
