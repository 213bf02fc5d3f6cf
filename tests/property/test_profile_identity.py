"""Whatever the order, the repeats and the batches: the same people, names and times."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.merge import MAX_CONTACT_POINTS, unite
from services.profile.domain.profile import Name, display_name, named, new_customer, recorded_name
from shared.events import Event
from tests.support.builders_profile import (
    NOON,
    at,
    case_opened,
    changed,
    customer_id,
    message,
    processor,
    received,
    record,
)
from tests.support.memory_database import MemoryDatabase

POINTS = [f"email:person{number}@example.com" for number in range(8)]
minutes = st.integers(0, 60).map(at)
points = st.lists(st.sampled_from(POINTS), min_size=1, max_size=4, unique=True)
names = st.sampled_from([None, "Ana", "Bor", "Cene"])
events = st.one_of(
    st.builds(lambda p, n, t: message(*p, name=n, time=t, text=n or ""), points, names, minutes),
    st.builds(lambda p, n, t: record(*p, name=n, time=t), points, names, minutes),
    st.builds(changed, st.sampled_from(POINTS), st.sampled_from(POINTS), minutes),
    st.builds(lambda p, t: case_opened(*p, time=t), points, minutes),
)


def one_fact_per_id(facts: list[Event]) -> list[Event]:
    """The stream gives every fact one id; the builders' ids leave out some of the content."""
    return list({fact.id: fact for fact in facts}.values())


async def put(batches: list[list[Event]]) -> MemoryDatabase:
    database, profile = MemoryDatabase(), processor()
    for batch in batches:
        await database.process(profile, received(*batch), NOON)
    return database


def cut(facts: list[Event], sizes: list[int]) -> list[list[Event]]:
    batches, rest = [], facts
    for size in sizes:
        batches.append(rest[:size])
        rest = rest[size:]
    return [*batches, rest]


def components(facts: list[Event]) -> set[frozenset[str]]:
    """The people, found in the plainest way: sets that overlap are joined until none do."""
    groups: list[set[str]] = []
    for fact in facts:
        data: Any = fact.data  # type: ignore[attr-defined]
        if hasattr(data, "about"):
            named = {data.about.contact_points[0]}
        else:
            named = set(data.contact_points)
            if hasattr(data, "previous"):
                named |= {data.previous, data.current}
        touching = [group for group in groups if group & named]
        groups = [group for group in groups if not group & named]
        groups.append(named.union(*touching))
    return {frozenset(group) for group in groups}


@given(facts=st.lists(events, max_size=12), data=st.data())
async def test_order_repeats_and_batches_change_nothing(facts: list[Event], data: Any) -> None:
    facts = one_fact_per_id(facts)
    repeats = data.draw(st.lists(st.sampled_from(facts), max_size=4)) if facts else []
    shuffled = data.draw(st.permutations(facts + repeats))
    batches = cut(list(shuffled), data.draw(st.lists(st.integers(0, 5), max_size=5)))

    one_by_one = await put([[fact] for fact in facts])
    otherwise = await put(batches)

    assert otherwise.collections == one_by_one.collections


@given(facts=st.lists(events, max_size=12))
async def test_people_are_the_connected_components_of_the_evidence(facts: list[Event]) -> None:
    database = await put([facts[:5], facts[5:]])
    customers = database.collections.get("customers", {}).values()
    people = {
        frozenset(customer["contact_points"])
        for customer in customers
        if customer["merged_into"] is None
    }
    assert people == components(facts)


@given(facts=st.lists(events, max_size=12), sizes=st.lists(st.integers(0, 5), max_size=5))
async def test_every_merged_id_points_straight_at_the_smallest_of_its_person(
    facts: list[Event], sizes: list[int]
) -> None:
    database, profile = MemoryDatabase(), processor()
    for batch in cut(facts, sizes):
        await database.process(profile, received(*batch), NOON)
        customers = database.collections.get("customers", {})
        for customer in customers.values():
            if customer["merged_into"] is None:
                assert customer["_id"] == min(customer["members"])
                assert customer["members"] == sorted(map(customer_id, customer["contact_points"]))
            else:
                assert customers[customer["merged_into"]]["merged_into"] is None
                assert customer["_id"] in customers[customer["merged_into"]]["members"]


@given(facts=st.lists(events, max_size=12))
async def test_what_was_decided_once_is_not_published_again(facts: list[Event]) -> None:
    database = await put([facts])
    before = copy.deepcopy(database.collections)
    again = await database.process(processor(), received(*facts), at(60))
    assert again.publishes == []
    assert database.collections == before


@given(facts=st.lists(events, max_size=12), sizes=st.lists(st.integers(0, 5), max_size=5))
async def test_readers_of_profile_events_learn_who_stands_for_whom(
    facts: list[Event], sizes: list[int]
) -> None:
    database, profile, known = MemoryDatabase(), processor(), dict[str, str]()
    for batch in cut(facts, sizes):
        effects = await database.process(profile, received(*batch), NOON)
        for published in effects.publishes:
            told: Any = published.event.data  # type: ignore[attr-defined]
            if hasattr(told, "linked_ids"):
                known.update(dict.fromkeys(told.linked_ids, told.customer_id))
            else:
                assert told.customer_id not in known, "announced twice"
                known[told.customer_id] = told.customer_id
    customers = database.collections.get("customers", {})
    assert known == {
        customer["_id"]: customer["merged_into"] or customer["_id"]
        for customer in customers.values()
    }


@given(
    facts=st.permutations(
        [record(f"tel:+3864000{n:04}", f"tel:+3864000{n + 1:04}") for n in range(60)]
    )
)
async def test_no_customer_outgrows_the_limit_whatever_the_order(facts: list[Event]) -> None:
    database = await put([facts[:20], facts[20:]])
    customers = database.collections["customers"].values()
    assert max(len(customer["contact_points"]) for customer in customers) <= MAX_CONTACT_POINTS
    assert len(database.collections["links"]) == 60, "evidence is kept, applied or not"
    parked = [link for link in database.collections["links"].values() if link["parked"]]
    assert parked, "61 contact points are more than one customer may have"
    again = await database.process(processor(), received(*facts), NOON)
    assert [count for count in again.counts if count.metric == "links_parked_total"] == []


@given(facts=st.lists(events, max_size=12), data=st.data())
async def test_what_two_processes_remember_changes_nothing(facts: list[Event], data: Any) -> None:
    facts = one_fact_per_id(facts)
    repeats = data.draw(st.lists(st.sampled_from(facts), max_size=8)) if facts else []
    one_by_one = await put([[fact] for fact in facts])
    database, processes = MemoryDatabase(), (processor(), processor())
    for fact in data.draw(st.permutations(facts + repeats)):
        await database.process(data.draw(st.sampled_from(processes)), received(fact), NOON)
    assert database.collections == one_by_one.collections


some_names = st.lists(
    st.builds(
        lambda make, value, when: make(value, when),
        st.sampled_from([display_name, recorded_name]),
        st.sampled_from("abc"),
        minutes,
    ),
    min_size=1,
)


@given(some_names=some_names, data=st.data())
def test_a_name_does_not_depend_on_the_order_it_was_told_in(
    some_names: list[Name], data: Any
) -> None:
    one, other = new_customer("cust_1", POINTS[0]), new_customer("cust_1", POINTS[0])
    for name in some_names:
        one = named(one, name)
    for name in data.draw(st.permutations(some_names)):
        other = named(other, name)
    assert one == other
    assert one.name in some_names
    if any(name.rank == recorded_name("x", NOON).rank for name in some_names):
        assert one.name is not None and one.name.rank == recorded_name("x", NOON).rank


@given(data=st.data())
def test_uniting_is_commutative_associative_and_idempotent(data: Any) -> None:
    people = [
        data.draw(
            st.builds(
                lambda name, first, stay, point=point: named(
                    _seen(new_customer(customer_id(point), point), first, stay), name
                ),
                some_names.map(lambda all_names: all_names[0]),
                minutes,
                st.integers(0, 30),
            )
        )
        for point in POINTS[:3]
    ]
    one, two, three = people
    assert unite([one, two, three]) == unite([three, one, two])
    assert unite([unite([one, two]), three]) == unite([one, unite([two, three])])
    assert unite([unite([one, two]), one]) == unite([one, two])


def _seen(customer: Any, first: Any, stay: int) -> Any:
    from services.profile.domain.profile import seen

    return seen(seen(customer, first), first + timedelta(minutes=stay))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_the_earliest_evidence_of_a_link_is_kept(order: tuple[int, ...]) -> None:
    facts = [record(POINTS[0], POINTS[1], time=at(minute)) for minute in (3, 1, 2)]
    database = await put([[facts[index]] for index in order])
    [link] = database.collections["links"].values()
    assert (link["evidence"], link["occurred_at"]) == (facts[1].id, at(1))
