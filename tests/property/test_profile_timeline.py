"""Reading a timeline in pieces: each entry exactly once, while others are added."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.profile.api import read_piece
from services.profile.domain.profile import new_customer
from services.profile.domain.timeline import BrokenCursor, Cursor, read_cursor, write_cursor
from tests.support.builders_profile import NOON, TEL, at, customer_id, message, processor, received
from tests.support.memory_database import MemoryDatabase

PERSON = new_customer(customer_id(TEL), TEL)
few_minutes = st.integers(0, 3)  # few, so that many entries share one


@given(
    minutes=st.lists(few_minutes, max_size=20),
    limit=st.integers(1, 7),
    added=st.lists(few_minutes, max_size=5),
)
async def test_every_entry_is_read_once_in_order_while_others_are_added(
    minutes: list[int], limit: int, added: list[int]
) -> None:
    database = MemoryDatabase()
    there = [message(TEL, time=at(minute), number=number) for number, minute in enumerate(minutes)]
    await database.process(processor(), received(*there), NOON)
    read, cursor = await read_piece(database, PERSON, None, limit)
    late = [message(TEL, time=at(minute), number=100 + n) for n, minute in enumerate(added)]
    await database.process(processor(), received(*late), NOON)
    while cursor is not None:
        piece, cursor = await read_piece(database, PERSON, cursor, limit)
        assert len(piece) <= limit
        read += piece
    ids = [entry.entry_id for entry in read]
    assert len(ids) == len(set(ids)), "nothing twice"
    assert {event.id for event in there} <= set(ids), "nothing left out"
    places = [(entry.occurred_at, entry.entry_id) for entry in read]
    assert places == sorted(places, reverse=True)


@given(
    occurred_at=st.integers(-(10**13), 10**14).map(
        lambda millis: at(0) if not millis else at(millis / 60_000_000)
    ),
    entry_id=st.text(min_size=1, max_size=256).filter(lambda text: text.isprintable()),
)
def test_a_cursor_is_read_as_it_was_written(occurred_at: Any, entry_id: str) -> None:
    cut = occurred_at.replace(microsecond=occurred_at.microsecond // 1000 * 1000)
    cursor = Cursor(cut, entry_id)
    assert read_cursor(write_cursor(cursor)) == cursor


@given(written=st.one_of(st.text(max_size=50), st.text("ABCxyz019-_=", max_size=60)))
def test_a_broken_cursor_is_refused_and_never_anything_else(written: str) -> None:
    try:
        cursor = read_cursor(written)
    except BrokenCursor:
        return
    assert write_cursor(cursor) == written
