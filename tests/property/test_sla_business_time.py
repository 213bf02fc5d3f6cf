"""Business time against an oracle that walks minute by minute and knows no offsets."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.sla.domain.calendar import Calendar, Window

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

# Days around a change of the wall clock, and a plain one.
PLACES = [
    ("Europe/Ljubljana", date(2026, 3, 29)),
    ("Europe/Ljubljana", date(2026, 10, 25)),
    ("Europe/Dublin", date(2026, 3, 29)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/St_Johns", date(2026, 3, 8)),
    ("America/St_Johns", date(2026, 11, 1)),
    ("Africa/Casablanca", date(2026, 2, 15)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Kathmandu", date(2026, 6, 1)),
]
SPAN_DAYS = 9

minute_of_day = st.integers(0, 24 * 60 - 1)


@st.composite
def windows(draw):
    opens = draw(minute_of_day)
    length = draw(st.integers(1, 24 * 60))
    return Window(opens * MINUTE, (opens + length) * MINUTE)


@st.composite
def cases(draw):
    zone_name, changes_on = draw(st.sampled_from(PLACES))
    week = tuple(draw(st.lists(windows(), max_size=3).map(tuple)) for _ in range(7))
    days = st.integers(-3, 4).map(lambda offset: changes_on + offset * DAY)
    exceptions = draw(st.dictionaries(days, st.lists(windows(), max_size=2).map(tuple), max_size=2))
    midnight = datetime.combine(changes_on, time(), UTC)
    first = midnight + draw(st.integers(-2 * 1440, 2 * 1440)) * MINUTE
    last = first + draw(st.integers(0, 2 * 1440)) * MINUTE
    return zone_name, changes_on, week, exceptions, first, last


@cache
def effective_wall(zone_name, changes_on):
    """Wall time for each UTC minute, held still while the wall clock repeats itself."""
    zone = ZoneInfo(zone_name)
    first = datetime.combine(changes_on, time(), UTC) - SPAN_DAYS * DAY
    walls = {}
    highest = datetime.min  # noqa: DTZ901 - wall times are naive
    for minute in range(2 * SPAN_DAYS * 1440):
        moment = first + minute * MINUTE
        highest = max(highest, moment.astimezone(zone).replace(tzinfo=None))
        walls[moment] = highest
    return walls


def is_open(wall, week, exceptions):
    for days_back in (0, 1):
        day = wall.date() - days_back * DAY
        since = wall - datetime.combine(day, time())
        if any(w.opens <= since < w.closes for w in exceptions.get(day, week[day.weekday()])):
            return True
    return False


def open_minutes(zone_name, changes_on, week, exceptions, first, last):
    walls = effective_wall(zone_name, changes_on)
    minutes = range((last - first) // MINUTE)
    moments = (first + minute * MINUTE for minute in minutes)
    return [moment for moment in moments if is_open(walls[moment], week, exceptions)]


@given(cases())
def test_elapsed_time_is_the_number_of_open_minutes(case):
    zone_name, _, week, exceptions, first, last = case
    calendar = Calendar(ZoneInfo(zone_name), week, exceptions)
    assert calendar.elapsed(first, last) == len(open_minutes(*case)) * MINUTE


@given(cases())
def test_adding_open_time_ends_right_after_the_last_open_minute_needed(case):
    zone_name, _, week, exceptions, first, _ = case
    calendar = Calendar(ZoneInfo(zone_name), week, exceptions)
    for count, minute in enumerate(open_minutes(*case)[:600:37]):
        wanted = (37 * count + 1) * MINUTE
        assert calendar.add(first, wanted) == minute + MINUTE
        assert calendar.add(first, wanted - MINUTE / 2) == minute + MINUTE / 2


@given(cases(), st.integers(1, 10**8))
def test_what_was_added_has_elapsed(case, milliseconds):
    zone_name, _, week, exceptions, first, _ = case
    calendar = Calendar(ZoneInfo(zone_name), week, exceptions)
    duration = timedelta(milliseconds=milliseconds)
    if duration <= calendar.least_open_time():
        assert calendar.elapsed(first, calendar.add(first, duration)) == duration


@given(cases())
def test_least_open_time_is_always_found(case):
    zone_name, _, week, exceptions, first, _ = case
    calendar = Calendar(ZoneInfo(zone_name), week, exceptions)
    least = calendar.least_open_time()
    if least:
        assert calendar.add(first, least) <= first + 400 * DAY
