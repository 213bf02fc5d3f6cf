"""What a process remembers may save a look at the store, and never changes an outcome."""

from dataclasses import replace
from datetime import timedelta

from services.profile.domain.identity import Evidence
from services.profile.domain.knowledge import KEPT_FOR, Knowledge
from services.profile.domain.profile import Customer, display_name, new_customer
from shared.streams import State
from tests.support.builders_profile import NOON, TEL, at, message, processor, received
from tests.support.memory_database import MemoryDatabase

SEEN = replace(new_customer("cust_1", TEL), first_seen_at=at(0), last_seen_at=at(10))


def learnt(*customers: Customer, generation: int = 10) -> Knowledge:
    knowledge = Knowledge(generation)
    for customer in customers:
        knowledge.learn([(customer.customer_id, customer)], [], NOON)
    return knowledge


def test_what_adds_nothing_is_covered_and_what_adds_something_is_not() -> None:
    knowledge = learnt(SEEN)
    assert knowledge.covers(["cust_1"], None, at(19))
    assert not knowledge.covers(["cust_1"], None, at(20)), "a later slot"
    assert not knowledge.covers(["cust_1"], None, at(-1)), "an earlier first time"
    assert not knowledge.covers(["cust_1"], display_name("Ana", at(0)), at(5)), "a new name"
    assert not knowledge.covers(["cust_2"], None, None), "a new customer"
    assert not knowledge.covers(["cust_1", "cust_2"], None, None)


def test_an_older_reading_takes_nothing_away() -> None:
    knowledge = learnt(SEEN, replace(SEEN, first_seen_at=at(3), last_seen_at=at(0)))
    assert knowledge.covers(["cust_1"], None, at(19))
    assert knowledge.covers(["cust_1"], None, at(1))


def test_nothing_is_forgotten_within_the_life_of_a_batch() -> None:
    knowledge = Knowledge(generation=1)
    knowledge.learn([("cust_1", SEEN)], [], NOON)
    for number in range(5):
        other = new_customer(f"other_{number}", TEL)
        knowledge.learn([(other.customer_id, other)], [], NOON + KEPT_FOR - timedelta(seconds=1))
    assert knowledge.covers(["cust_1"], None, at(5))


def test_memory_is_bounded_by_two_generations() -> None:
    knowledge = Knowledge(generation=1)
    for number in range(3):
        customer = new_customer(f"cust_{number}", TEL)
        knowledge.learn([(customer.customer_id, customer)], [], NOON + number * KEPT_FOR)
    assert not knowledge.covers(["cust_0"], None, None)
    assert knowledge.covers(["cust_1"], None, None) and knowledge.covers(["cust_2"], None, None)


def test_an_unknown_link_is_news() -> None:
    assert not learnt(SEEN).covers_link(["cust_1", "cust_2"], Evidence("evt_1", "provider", NOON))


async def test_a_conversation_that_goes_on_asks_the_store_nothing() -> None:
    database, profile = MemoryDatabase(), processor()
    for number in (1, 2):
        first = message(TEL, "whatsapp:38640123456", name="Ana", number=number, time=at(number))
        await database.process(profile, received(first), at(number))
    following = message(TEL, "whatsapp:38640123456", name="Ana", number=3, time=at(3))
    assert list(profile.needs(received(following), State())) == []
    effects = await database.process(profile, received(following), at(3))
    assert [write.collection for write in effects.writes] == ["timeline"]
