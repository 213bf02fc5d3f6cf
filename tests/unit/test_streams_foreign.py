"""Records that others wrote: the time they count at, and who is to blame for which failure."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from shared.events import Event, Undecodable
from shared.streams import ForeignRecord, Refused
from shared.streams.batches import _decode_foreign
from shared.streams.foreign import foreign_record

NOW = datetime(2026, 11, 3, 9, 15, tzinfo=UTC)


def kept_at(milliseconds: int, kind: int = 0) -> datetime:
    raw = SimpleNamespace(value=b"", headers=(), timestamp=milliseconds, timestamp_type=kind)
    return foreign_record(raw, NOW).kept_at


def test_a_record_counts_at_the_time_kafka_gave_it() -> None:
    earlier = NOW - timedelta(days=3)
    assert kept_at(int(earlier.timestamp() * 1000)) == earlier
    later = NOW + timedelta(seconds=2)
    assert kept_at(int(later.timestamp() * 1000), kind=1) == later  # the broker's clock


@pytest.mark.parametrize("milliseconds", [-1, 0, 1234, 2**63 - 1])
def test_an_absurd_time_of_a_record_counts_as_now(milliseconds: int) -> None:
    assert kept_at(milliseconds) == NOW


def test_a_time_in_the_future_that_the_writer_claims_counts_as_now() -> None:
    future = datetime(2027, 1, 1, tzinfo=UTC)
    assert kept_at(int(future.timestamp() * 1000)) == NOW


def test_a_mistake_in_our_own_code_is_no_refusal_and_tells_where_it_struck() -> None:
    def mistaken(_record: ForeignRecord) -> list[Event]:
        raise KeyError("a secret")

    with pytest.raises(Undecodable) as failure:
        _decode_foreign(mistaken, ForeignRecord(b"", (), NOW))
    assert str(failure.value) == "KeyError in mistaken"


def test_a_refusal_stays_one() -> None:
    def strict(_record: ForeignRecord) -> list[Event]:
        raise Refused("malformed: no")

    with pytest.raises(Refused, match="malformed: no"):
        _decode_foreign(strict, ForeignRecord(b"", (), NOW))
