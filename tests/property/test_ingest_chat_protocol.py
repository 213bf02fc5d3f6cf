"""Whatever a visitor's browser sends is read, and a session's course follows from its entries."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.chat import (
    GAP,
    PROBLEMS,
    TEXT,
    BadFrame,
    LeftAddress,
    Said,
    Tail,
    engage,
    is_session_id,
    read_frame,
    session_id,
)
from services.ingest.domain.chat_hours import BadHours, read_hours
from services.ingest.domain.pace import Pace
from tests.support.builders_ingest import NOW

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
TYPES = st.sampled_from(["hello", "message", "offline", "end", "ping", "typing", "dance"])
IDS = st.text("abcXYZ019_-", min_size=8, max_size=64)
FRAMES = st.fixed_dictionaries(
    {},
    optional={
        "type": TYPES | JSON,
        "id": IDS | JSON,
        "text": st.text(alphabet=st.characters(exclude_categories=[])) | JSON,
        "token": st.text() | JSON,
        "last": st.integers() | JSON,
        "locale": st.text() | JSON,
        "email": st.just("ana@example.si") | JSON,
        "phone": st.just("+386 40 123 456") | JSON,
        "name": st.text(max_size=300) | JSON,
    },
)


@given(st.binary(max_size=300) | JSON.map(lambda v: json.dumps(v).encode()))
def test_any_bytes_are_a_frame_or_a_known_problem(body: bytes) -> None:
    frame = read_frame(body)
    if isinstance(frame, BadFrame):
        assert frame.code in PROBLEMS


@given(FRAMES)
@settings(max_examples=500)
def test_any_shape_is_a_frame_that_can_be_kept_or_a_known_problem(shape: dict[str, Any]) -> None:
    frame = read_frame(json.dumps(shape).encode())
    if isinstance(frame, BadFrame):
        assert frame.code in PROBLEMS
    if isinstance(frame, Said | LeftAddress):
        assert 0 < len(frame.text) <= TEXT
        frame.text.encode()
        assert 8 <= len(frame.id) <= 64
    if isinstance(frame, LeftAddress):
        assert frame.contact_point.startswith(("email:", "tel:"))


@given(IDS, st.text(min_size=1, max_size=TEXT).filter(lambda text: text.strip() != ""))
def test_a_message_is_read_as_it_was_written(own_id: str, text: str) -> None:
    body = json.dumps({"type": "message", "id": own_id, "text": text}).encode()
    assert read_frame(body) == Said(own_id, text.strip())


@given(st.text(), st.text(), st.text())
def test_sessions_of_different_tokens_or_accounts_never_meet(
    account: str, token: str, other: str
) -> None:
    own = session_id(account, token)
    assert is_session_id(own)
    assert token == other or session_id(account, other) != own
    assert session_id(account + "x", token) != own


@given(st.integers(0, 50), st.booleans(), st.timedeltas(timedelta(0), 3 * GAP))
def test_an_interaction_goes_on_until_it_is_ended_or_silent_for_too_long(
    number: int, goes_on: bool, silence: timedelta
) -> None:
    tail = Tail(seq=number, interaction=number, open=goes_on, at=NOW)
    found = engage(tail, NOW + silence)
    continues = goes_on and silence < GAP
    assert found.begins is not continues
    assert found.number == (number if continues else number + 1)
    assert found.lapsed == (number if goes_on and not continues else None)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_nobody_goes_faster_than_their_pace(moments: list[float]) -> None:
    pace, taken = Pace(2.0, 5.0), 0
    moments.sort()
    for moment in moments:
        taken += pace.take(moment)
        assert taken <= 5.0 + 2.0 * (moment - moments[0]) + 1e-6


@given(st.datetimes().map(lambda naive: naive.replace(tzinfo=NOW.tzinfo)))
@settings(max_examples=300)
def test_the_next_opening_is_later_and_open(moment: Any) -> None:
    hours = read_hours("mon-fri 08:00-12:00, mon-thu 13:00-24:00, sat 09:30-12:00", "Europe/Paris")
    if not 1980 < moment.year < 2037:
        return
    opening = hours.next_opening(moment)
    assert moment < opening <= moment + timedelta(days=3)
    assert hours.is_open(opening)
    assert not hours.is_open(opening - timedelta(minutes=1))


def test_a_night_shift_is_written_as_two_entries_that_meet() -> None:
    hours = read_hours("fri 22:00-24:00, sat 00:00-06:00")
    friday = NOW.replace(day=6, hour=23)
    assert all(hours.is_open(friday + timedelta(hours=n)) for n in range(7))
    assert not hours.is_open(friday + timedelta(hours=7))


def test_days_may_go_over_the_weekend() -> None:
    hours = read_hours("sat-mon 10:00-11:00")
    assert [hours.is_open(NOW.replace(day=day, hour=10)) for day in range(1, 8)] == [
        day in (1, 2, 7) for day in range(1, 8)
    ]


@pytest.mark.parametrize(
    "written",
    ["", "always", "mon 8:00-16:00", "mon 16:00-08:00", "mon 08:00-24:30", "day 08:00-09:00",
     "mon 08:60-09:00"],
)  # fmt: skip
def test_hours_that_cannot_be_read_are_refused(written: str) -> None:
    with pytest.raises(BadHours):
        read_hours(written)


def test_a_time_zone_must_exist() -> None:
    with pytest.raises(BadHours):
        read_hours("mon 08:00-16:00", "Mars/Olympus")
