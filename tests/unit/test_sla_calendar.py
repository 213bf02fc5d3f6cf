"""Business time on the days when clocks change, on holidays, and through the night."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.sla.domain.calendar import Calendar, CalendarNeverOpens
from services.sla.domain.charter import parse_hours
from services.sla.domain.wall_time import instant_of

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LJUBLJANA = ZoneInfo("Europe/Ljubljana")


def calendar(*hours: str, zone: ZoneInfo = LJUBLJANA, days: int = 7, **exceptions: tuple[str, ...]):
    windows = tuple(parse_hours(written) for written in hours)
    week = (windows,) * days + ((),) * (7 - days)
    return Calendar(
        zone,
        week,
        {
            date.fromisoformat(day.removeprefix("on_").replace("_", "-")): tuple(
                parse_hours(written) for written in others
            )
            for day, others in exceptions.items()
        },
    )


def at(written: str, zone: ZoneInfo = LJUBLJANA) -> datetime:
    return instant_of(datetime.fromisoformat(written), zone)


def test_a_lunch_break_does_not_count():
    office = calendar("08:00-12:00", "13:00-17:00")
    assert office.add(at("2026-06-03 11:30"), HOUR) == at("2026-06-03 13:30")


def test_a_deadline_at_closing_time_is_that_day_not_the_next_morning():
    office = calendar("08:00-12:00", "13:00-17:00")
    assert office.add(at("2026-06-03 16:00"), HOUR) == at("2026-06-03 17:00")


def test_a_question_at_night_counts_from_the_morning():
    assert calendar("08:00-17:00").add(at("2026-06-03 22:00"), HOUR) == at("2026-06-04 09:00")


def test_a_night_shift_goes_on_past_midnight():
    night = calendar("22:00-06:00")
    assert night.add(at("2026-06-03 23:30"), 3 * HOUR) == at("2026-06-04 02:30")
    assert night.elapsed(at("2026-06-03 12:00"), at("2026-06-04 12:00")) == 8 * HOUR


def test_a_friday_night_shift_ends_on_saturday_and_the_weekend_is_closed():
    night = calendar("22:00-06:00", days=5)
    assert night.add(at("2026-06-05 23:00"), 8 * HOUR) == at("2026-06-08 23:00")


def test_a_holiday_on_the_deadline_moves_it_and_half_a_day_counts_as_half():
    office = calendar("08:00-16:00", on_2026_12_25=(), on_2026_12_24=("08:00-12:00",))
    assert office.add(at("2026-12-23 15:00"), 8 * HOUR) == at("2026-12-26 11:00")


def test_the_night_of_23_hours_is_an_hour_shorter():
    """At 02:00 on 29 March 2026 clocks go to 03:00: the deadline is 24 real hours away."""
    always = calendar("00:00-24:00")
    start = at("2026-03-28 12:00")
    assert always.add(start, 24 * HOUR) == start + 24 * HOUR == at("2026-03-29 13:00")


def test_the_night_of_25_hours_is_an_hour_longer():
    always = calendar("00:00-24:00")
    start = at("2026-10-24 12:00")
    assert always.add(start, 24 * HOUR) == start + 24 * HOUR == at("2026-10-25 11:00")


def test_a_night_shift_over_the_change_works_seven_or_nine_hours():
    night = calendar("22:00-06:00")
    assert night.elapsed(at("2026-03-28 20:00"), at("2026-03-29 20:00")) == 7 * HOUR
    assert night.elapsed(at("2026-10-24 20:00"), at("2026-10-25 20:00")) == 9 * HOUR


def test_a_skipped_opening_time_opens_at_the_change():
    assert at("2026-03-29 02:30") == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_a_repeated_wall_time_is_its_first_occurrence():
    assert at("2026-10-25 02:30") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_lord_howe_changes_by_half_an_hour():
    lord_howe = ZoneInfo("Australia/Lord_Howe")
    always = calendar("00:00-24:00", zone=lord_howe)
    day = at("2026-10-04 00:00", lord_howe), at("2026-10-05 00:00", lord_howe)
    assert always.elapsed(*day) == 23.5 * HOUR


def test_apia_had_no_30_december_2011():
    apia = ZoneInfo("Pacific/Apia")
    office = calendar("08:00-16:00", zone=apia)
    assert office.add(at("2011-12-29 15:00", apia), 2 * HOUR) == at("2011-12-31 09:00", apia)


def test_seconds_and_milliseconds_are_exact():
    wanted = timedelta(seconds=20, milliseconds=7)
    start = at("2026-06-03 11:59:50")
    assert calendar("08:00-12:00", "13:00-17:00").add(start, wanted) == (
        at("2026-06-03 13:00:10") + timedelta(milliseconds=7)
    )


def test_a_calendar_without_hours_never_opens():
    with pytest.raises(CalendarNeverOpens):
        calendar(days=0).add(at("2026-06-03 12:00"), MINUTE)


def test_the_search_ends_after_400_days():
    once_a_week = Calendar(LJUBLJANA, ((parse_hours("08:00-09:00"),), *((),) * 6))
    start = at("2026-06-01 08:00")
    assert once_a_week.add(start, 58 * HOUR) == at("2027-07-05 09:00")
    with pytest.raises(CalendarNeverOpens):
        once_a_week.add(start, 59 * HOUR)


@pytest.mark.parametrize("wrong", ["8:00-12:00", "08:00", "24:00-06:00", "08:00-24:30", "08.00-12"])
def test_what_are_no_opening_hours_are_refused(wrong):
    with pytest.raises(ValueError, match="not opening hours"):
        parse_hours(wrong)
