"""Parcels and partitions: order, size, ids that sort, and keys that lie where others put them."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from shared.streams import outbox
from shared.streams.outbox import parcels
from shared.streams.sending import Outgoing
from shared.streams.shards import partition_of, shard_id
from tests.support.builders import NOON

MIB = 1024 * 1024
sizes = st.lists(st.integers(0, 3 * MIB), max_size=12)
positions = st.tuples(st.integers(-1, 10**12), st.integers(0, 10**9))


def _records(sizes: list[int]) -> list[Outgoing]:
    return [Outgoing("t", str(n).encode(), bytes(size)) for n, size in enumerate(sizes)]


def _at(position: tuple[int, int]) -> str:
    offset, ticks = position
    return f"{offset + 1:020}-{ticks:012}"


@given(sizes)
def test_parcels_keep_every_record_in_order_and_within_a_document(sizes: list[int]) -> None:
    records = _records(sizes)
    made = parcels("s", _at((1, 0)), records, NOON)
    assert [record for parcel in made for record in parcel.records] == records
    for parcel in made:
        assert sum(len(record.value) for record in parcel.records) <= 8 * MIB
    assert all(parcel.records for parcel in made) or not records


def test_a_record_larger_than_a_parcel_goes_alone() -> None:
    records = _records([1, outbox._MAX_PARCEL + 1, 1])
    assert [len(parcel.records) for parcel in parcels("s", "1", records, NOON)] == [1, 1, 1]


@given(st.lists(st.tuples(positions, st.integers(1, 3)), unique_by=lambda one: one[0]))
def test_ids_of_parcels_sort_as_they_were_decided(made: list[tuple[tuple[int, int], int]]) -> None:
    # a shard's offset and ticks both only grow, so positions in order are times in order
    chronological = [
        parcel.parcel_id
        for position, count in sorted(made)
        for parcel in parcels("s", _at(position), _records([5 * MIB] * count), NOON)
    ]
    assert chronological == sorted(chronological)
    assert len(set(chronological)) == len(chronological)


@given(st.binary(max_size=200), st.integers(1, 200))
def test_a_key_lies_where_aiokafka_would_put_it(key: bytes, partitions: int) -> None:
    everywhere = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, everywhere, everywhere)


def test_shards_of_different_processors_topics_and_partitions_differ() -> None:
    ids = {shard_id(p, t, n) for p in "ab" for t in ("x", "y") for n in (1, 11)}
    assert len(ids) == 8
