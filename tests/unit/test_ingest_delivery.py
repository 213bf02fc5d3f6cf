"""What becomes of a reply after an attempt, and when a channel account is left alone."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import breaker as circuit
from services.ingest.domain import limits
from services.ingest.domain.breaker import Breaker
from services.ingest.domain.delivery import (
    FIRST_PAUSE,
    GIVE_UP_AFTER,
    LONGEST_PAUSE,
    Step,
    after_attempt,
    after_crash,
    give_up,
    pause,
)
from services.ingest.domain.outcomes import Later, Outcome, Refused, Sent, Unclear
from tests.support.builders import NOON

SECOND = timedelta(seconds=1)


def step(outcome: Outcome, *, repeatable: bool = False, attempts: int = 1) -> Step:
    return after_attempt(
        outcome, reply_id="reply_1", attempts=attempts, repeatable=repeatable, now=NOON
    )


def test_a_message_the_provider_took_is_sent_under_its_id() -> None:
    assert step(Sent("wamid.1")) == Step("sent", message_id="wamid.1")


def test_what_the_provider_never_takes_has_failed() -> None:
    assert step(Refused("HTTP 400, code 131026")) == Step("failed", "HTTP 400, code 131026")


@pytest.mark.parametrize(
    "outcome", [Refused("x" * 5_000), Later("\ud800" * 5_000), Unclear("x" * 999)]
)
def test_whatever_a_provider_says_an_event_can_tell_it(outcome: Outcome) -> None:
    reason = step(outcome).reason
    assert reason is not None
    assert 0 < len(reason.encode()) <= 4 * limits.SHORT_TEXT
    assert len(reason) <= limits.SHORT_TEXT


def test_what_was_surely_not_sent_waits() -> None:
    later = step(Later("HTTP 429"))
    assert later.state == "waiting"
    assert later.next_at is not None
    assert NOON < later.next_at <= NOON + FIRST_PAUSE


def test_the_provider_may_ask_for_a_longer_pause() -> None:
    assert step(Later("HTTP 429", timedelta(seconds=30))).next_at == NOON + 30 * SECOND


@pytest.mark.parametrize("lost", [Unclear("no answer"), None])
def test_what_may_have_been_sent_is_never_sent_again(lost: Outcome | None) -> None:
    if lost is None:
        found = after_crash(reply_id="reply_1", attempts=1, repeatable=False, now=NOON)
    else:
        found = step(lost)
    assert found.state == "unknown"
    assert found.reason is not None
    assert found.reason.startswith("outcome unknown")


def test_what_may_have_been_sent_is_repeated_where_the_provider_recognises_it() -> None:
    assert step(Unclear("no answer"), repeatable=True).state == "waiting"
    crashed = after_crash(reply_id="reply_1", attempts=1, repeatable=True, now=NOON)
    assert crashed.state == "waiting"


def test_a_reply_is_given_up_after_a_day_or_when_its_window_closes() -> None:
    assert give_up(NOON, None, NOON + GIVE_UP_AFTER - SECOND) is None
    assert give_up(NOON, None, NOON + GIVE_UP_AFTER) == "not sent within 24 hours"
    closes = NOON + 10 * SECOND
    assert give_up(NOON, closes, closes - SECOND) is None
    assert give_up(NOON, closes, closes) is not None


@given(st.text(max_size=40), st.integers(1, 10_000))
def test_pauses_grow_up_to_a_limit_and_are_spread(reply_id: str, attempts: int) -> None:
    found = pause(reply_id, attempts)
    assert FIRST_PAUSE / 2 <= found <= LONGEST_PAUSE
    assert pause(reply_id, attempts) == found
    assert pause(reply_id, attempts + 2) > found or found >= LONGEST_PAUSE / 4


def fail(breaker: Breaker, times: int) -> Breaker:
    for _ in range(times):
        breaker = circuit.failed(breaker, NOON)
    return breaker


def test_five_failures_in_a_row_open_the_breaker() -> None:
    almost = fail(Breaker(), 4)
    assert circuit.state_of(almost, NOON) == "closed"
    assert circuit.state_of(fail(Breaker(), 5), NOON) == "open"
    assert circuit.state_of(fail(circuit.worked(almost), 4), NOON) == "closed"


def test_an_open_breaker_lets_nothing_through_and_then_one_trial() -> None:
    opened = fail(Breaker(), 5)
    unchanged, again = circuit.ask(opened, NOON)
    assert again == opened.open_until is not None
    assert unchanged == opened
    trying, answer = circuit.ask(opened, opened.open_until or NOON)
    assert answer is None
    _, second = circuit.ask(trying, opened.open_until or NOON)
    assert second is not None


def test_a_trial_that_works_closes_it_and_one_that_fails_doubles_its_pause() -> None:
    opened = fail(Breaker(), 5)
    at = opened.open_until or NOON
    trying, _ = circuit.ask(opened, at)
    assert circuit.worked(trying) == Breaker()
    again = circuit.failed(trying, at)
    assert again.open_until == at + 2 * circuit.FIRST_PAUSE


def test_a_trial_nobody_reports_on_is_followed_by_another() -> None:
    opened = fail(Breaker(), 5)
    at = opened.open_until or NOON
    trying, _ = circuit.ask(opened, at)
    assert circuit.ask(trying, at + circuit.TRIAL)[1] is None


def test_a_provider_that_names_a_time_is_left_alone_until_then() -> None:
    asked = circuit.failed(Breaker(), NOON, timedelta(seconds=40))
    assert asked.open_until == NOON + 40 * SECOND


@given(st.lists(st.tuples(st.sampled_from("fwa"), st.integers(0, 400)), max_size=60))
def test_a_breaker_is_never_open_for_longer_than_its_longest_pause(
    happenings: list[tuple[str, int]],
) -> None:
    breaker, now = Breaker(), NOON
    for kind, seconds in happenings:
        now += seconds * SECOND
        if kind == "f":
            breaker = circuit.failed(breaker, now)
        elif kind == "w":
            breaker = circuit.worked(breaker)
        else:
            breaker, again = circuit.ask(breaker, now)
            assert again is None or now < again <= now + circuit.LONGEST_PAUSE
