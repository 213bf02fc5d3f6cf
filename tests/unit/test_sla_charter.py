"""The charter: the example is valid, and a wrong one is refused with what to do."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.sla.domain.charter import CharterFile
from services.sla.domain.promises import charter_of
from shared.errors import PolicyError
from shared.events.contact_data import CHANNELS
from shared.policy import load_policy

EXAMPLE = Path("deploy/policy/charter.yaml")
GOOD = """\
calendars:
  office: {zone: Europe/Ljubljana, hours: {monday: [08:00-12:00, 13:00-17:00]}}
promises:
  - channel: email
    first_response: {within: 4h, calendar: office}
"""


@pytest.fixture
def refusal(tmp_path):
    def load(old: str, new: str) -> str:
        path = tmp_path / "charter.yaml"
        assert old in GOOD
        path.write_text(GOOD.replace(old, new))
        with pytest.raises(PolicyError) as refused:
            load_policy(path, CharterFile)
        return str(refused.value)

    return load


def test_the_example_charter_promises_something_on_every_channel():
    charter = charter_of(load_policy(EXAMPLE, CharterFile))
    assert all(charter.promise_for(channel, None) for channel in CHANNELS)


def test_the_example_charter_answers_calls_in_20_seconds_and_mail_in_4_hours():
    charter = charter_of(load_policy(EXAMPLE, CharterFile))
    assert charter.promise_for("voice", "any").within == timedelta(seconds=20)
    assert charter.promise_for("email", "any").within == timedelta(hours=4)
    assert charter.promise_for("email", "express@example.com").within == timedelta(minutes=15)
    assert charter.promise_for("fax", None) is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("calendar: office", "calendar: ofice", ":5: promises.0.first_response.calendar: is no c"),
        ("Europe/Ljubljana", "Europe/Lubljana", ":2: calendars.office.zone: not a time zone; writ"),
        ("[08:00-12:00, 13:00-17:00]", "[]", "never opens for sure within 400 days; give that"),
        ("08:00-12:00, 13", "08:00-12:00, 11", "calendars.office.hours.monday: hours of one day"),
        ("13:00-17:00", "13-17", "hours.monday: not opening hours; write them as 08:00-12:00"),
        ("monday:", "moonday:", ":2: calendars.office.hours.moonday: input should be 'monday'"),
        ("within: 4h", "within: 366d", "less than the promise takes; promise less or open more"),
        ("within: 4h", "within: 0s", ":5: promises.0.first_response.within: input should be gr"),
        ("within: 4h", "within: 4h, warn_at: [0.9, 0.5]", "warn_at: shares do not rise; write"),
        ("within: 4h", "within: 4h, warn_at: [1.0]", "warn_at.0: input should be less than 1"),
        ("monday:", "every-day: [], tuesday:", "every-day: stands beside weekdays; write one of"),
        ("promises:", "promises:\n  - channel: email\n    first_response: {within: 1h, "
         "calendar: office}", ":6: promises.1: promises the same channel a second time; remove"),
        ("promises:", "public: yes\npromises:", ":3: public: is not a known key; correct"),
    ],
)  # fmt: skip
def test_a_wrong_charter_is_told_where_and_what_to_do(refusal, old, new, told):
    assert told in refusal(old, new)
