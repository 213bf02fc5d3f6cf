"""The token bucket: in no stretch of time passes more than the burst and what flows in."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.rate import Bucket, Wait, full_bucket, take

START = datetime(2026, 11, 3, 9, 15, tzinfo=UTC)
RATES = st.integers(1, 10_000)
STEPS = st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 500)), max_size=40)


def passed(per_minute: int, steps: list[tuple[int, int]]) -> list[tuple[datetime, int]]:
    """Return when how much passed, asked in steps of (milliseconds since the last, amount)."""
    bucket, taken = full_bucket(per_minute, START), []
    times = accumulate((timedelta(milliseconds=pause) for pause, _ in steps), initial=START)
    for (_, amount), now in zip(steps, list(times)[1:], strict=True):
        after = take(bucket, amount, now)
        if isinstance(after, Bucket):
            bucket = after
            taken.append((now, amount))
    return taken


@given(RATES, STEPS)
def test_never_more_passes_than_the_burst_and_what_flows_in(
    per_minute: int, steps: list[tuple[int, int]]
) -> None:
    taken = passed(per_minute, steps)
    for first, (since, _) in enumerate(taken):
        for last, (until, _) in enumerate(taken[first:], first):
            total = sum(amount for _, amount in taken[first : last + 1])
            flows_in = (until - since) / timedelta(minutes=1) * per_minute
            assert total <= per_minute + flows_in + 1e-6


@given(RATES, STEPS, st.integers(1, 500))
def test_whoever_waits_as_long_as_told_passes_and_not_much_earlier(
    per_minute: int, steps: list[tuple[int, int]], amount: int
) -> None:
    amount = min(amount, per_minute)
    bucket, now = full_bucket(per_minute, START), START
    for pause, wanted in steps:
        now += timedelta(milliseconds=pause)
        after = take(bucket, wanted, now)
        bucket = after if isinstance(after, Bucket) else bucket
    told = take(bucket, amount, now)
    if isinstance(told, Wait):
        margin = timedelta(milliseconds=1)
        assert isinstance(take(bucket, amount, now + told.time + margin), Bucket)
        assert isinstance(take(bucket, amount, now + told.time - margin), Wait) or (
            told.time <= margin
        )


@given(RATES, st.integers(0, 10_000_000))
def test_a_clock_that_runs_backwards_adds_nothing(per_minute: int, back: int) -> None:
    empty = take(full_bucket(per_minute, START), per_minute, START)
    assert isinstance(empty, Bucket)
    assert isinstance(take(empty, 1, START - timedelta(milliseconds=back)), Wait)
    again = take(empty, 1, START)
    assert isinstance(again, Wait)
