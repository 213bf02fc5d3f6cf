"""Rank and case references: what always holds."""

from datetime import UTC, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from services.routing.domain.rank import rank
from shared.case_reference import ALPHABET, case_reference, parse_case_reference

MOMENTS = st.integers(0, 631_152_000_000).map(
    lambda milliseconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
)
PRIORITIES = st.integers(-100, 100)
REFERENCES = st.text(min_size=1, max_size=20).map(case_reference)
HEAD_START = timedelta(seconds=60)


@given(MOMENTS, st.integers(1, 10**6), PRIORITIES)
def test_of_equal_priority_the_older_comes_first(
    moment: datetime, seconds: int, priority: int
) -> None:
    younger = moment + timedelta(seconds=seconds)
    assert rank(moment, priority, HEAD_START) < rank(younger, priority, HEAD_START)


@given(MOMENTS, PRIORITIES, PRIORITIES, st.integers(1, 10**6))
def test_overtaking_is_bounded_by_the_head_start(
    moment: datetime, mine: int, other: int, seconds: int
) -> None:
    later = moment + timedelta(seconds=seconds)
    overtakes = rank(later, other, HEAD_START) < rank(moment, mine, HEAD_START)
    assert overtakes == (timedelta(seconds=seconds) < (other - mine) * HEAD_START)


@given(REFERENCES, st.integers(0, 8), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_always_noticed(reference: str, place: int, wrong: str) -> None:
    characters = list(reference.replace("-", ""))
    assume(characters[place] != wrong)
    characters[place] = wrong
    assert parse_case_reference("".join(characters)) is None


@given(REFERENCES, st.integers(0, 8), st.integers(0, 8))
def test_two_swapped_characters_are_always_noticed(reference: str, place: int, other: int) -> None:
    characters = list(reference.replace("-", ""))
    assume(characters[place] != characters[other])
    characters[place], characters[other] = characters[other], characters[place]
    assert parse_case_reference("".join(characters)) is None


@given(REFERENCES)
def test_a_reference_is_read_however_it_is_written(reference: str) -> None:
    assert parse_case_reference(reference) == reference
    assert parse_case_reference(f" {reference.lower().replace('-', ' ')} ") == reference
