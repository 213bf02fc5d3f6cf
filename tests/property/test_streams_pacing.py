"""Small batches keep a distance in the long run, and none waits after a pause."""

from hypothesis import given
from hypothesis import strategies as st

from shared.streams.pacing import Pacing

EVERY, AT_ONCE = 0.1, 4
GAPS = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60)


def begun(gaps: list[float]) -> list[float]:
    """Return when batches begin, each as soon as it may and something has come in."""
    pacing, now, begins = Pacing(EVERY, AT_ONCE), 0.0, []
    for gap in gaps:
        now += gap
        begins.append(now)
        now += pacing.pause_after(now, now)
    return begins


@given(GAPS)
def test_in_any_stretch_no_more_begin_than_a_few_and_what_the_distance_allows(
    gaps: list[float],
) -> None:
    begins = begun(gaps)
    for first in range(len(begins)):
        for last in range(first, len(begins)):
            stretch = begins[last] - begins[first]
            assert last - first + 1 <= AT_ONCE + stretch / EVERY + 1e-6


@given(GAPS)
def test_after_a_pause_a_few_follow_each_other_at_once(gaps: list[float]) -> None:
    pacing, now = Pacing(EVERY, AT_ONCE), 0.0
    for gap in gaps:
        now += gap
        now += pacing.pause_after(now, now)
    now += AT_ONCE * EVERY  # nothing comes in for so long
    waits = [pacing.pause_after(now, now) for _ in range(AT_ONCE)]
    assert all(wait < 1e-9 for wait in waits[:-1])
    assert waits[-1] > EVERY / 2


@given(st.floats(0.0, 10.0))
def test_the_time_that_a_batch_took_is_no_pause(took: float) -> None:
    pacing = Pacing(EVERY, at_once=1)
    assert abs(pacing.pause_after(0.0, took) - max(0.0, EVERY - took)) < 1e-9
