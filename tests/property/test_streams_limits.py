"""The limit on dead letters: the same verdict however the outcomes are cut into batches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.streams.limits import DeadLetterLimit, TooManyDeadLetters


def _stops_at(outcomes: list[bool]) -> int | None:
    """Say after how many records one by one the limit stops, by the rule's own words."""
    for count in range(1, len(outcomes) + 1):
        seen = outcomes[:count]
        if count >= 21 and all(seen[-21:]):
            return count
        if count >= 1000 and sum(seen[-1000:]) > 50:
            return count
    return None


# runs of equal outcomes: single ones would hardly ever make 21 in a row
runs = st.lists(st.tuples(st.booleans(), st.integers(1, 25)), max_size=20)
outcomes = runs.map(lambda parts: [dead for dead, count in parts for _ in range(count)])


@given(outcomes)
def test_it_stops_at_the_twenty_first_in_a_row_and_not_before(outcomes: list[bool]) -> None:
    limit, stopped = DeadLetterLimit(), None
    for count, dead in enumerate(outcomes, start=1):
        try:
            limit = limit.after([dead])
        except TooManyDeadLetters:
            stopped = count
            break
    assert stopped == _stops_at(outcomes)


@given(outcomes, st.lists(st.integers(0, 600), max_size=6))
def test_batching_changes_nothing_about_a_row(outcomes: list[bool], cuts: list[int]) -> None:
    limit, stopped, start = DeadLetterLimit(), False, 0
    try:
        for end in [*sorted(cuts), len(outcomes)]:
            limit = limit.after(outcomes[start : max(start, end)])
            start = max(start, end)
    except TooManyDeadLetters:
        stopped = True
    assert stopped == (_stops_at(outcomes) is not None)


def test_one_bad_record_in_fifty_passes_for_ever() -> None:
    limit = DeadLetterLimit()
    for _ in range(100):
        limit = limit.after(([False] * 49) + [True])


def test_more_than_five_percent_of_the_last_thousand_stops() -> None:
    limit = DeadLetterLimit().after(([False] * 19 + [True]) * 50)
    with pytest.raises(TooManyDeadLetters):
        limit.after([True])
    limit.after([False])


def test_a_refused_batch_leaves_the_limit_as_it_was() -> None:
    limit = DeadLetterLimit()
    with pytest.raises(TooManyDeadLetters):
        limit.after([True] * 21)
    limit.after([True] * 20)
