"""Numbers in strangers' words: read where they are some, and never an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.numbers import digits


@given(st.integers(0, 10**18 - 1))
def test_a_number_is_read_as_it_is_written(number: int) -> None:
    assert digits(str(number)) == number


@given(st.text(st.sampled_from("0123456789²٣-+. e_"), max_size=30))
def test_whatever_is_no_number_is_none(written: str) -> None:
    found = digits(written)
    assert found is None or written.lstrip("0") in (str(found), "")


@pytest.mark.parametrize("written", [None, "", "²", "٣", "-1", "+1", "1_0", " 1", "9" * 5_000])
def test_what_python_might_take_or_break_on_is_none(written: str | None) -> None:
    assert digits(written) is None
