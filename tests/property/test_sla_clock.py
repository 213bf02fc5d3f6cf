"""Outcomes are a function of event times, whatever the order of hearing and of looking."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders_sla import (
    NOON,
    SlaWorld,
    agent_writes,
    charter,
    customer_writes,
    kinds,
    promise,
)

SECOND = timedelta(seconds=1)
WITHIN = 8
END = NOON + timedelta(days=30)
CHARTERS = [
    charter(promise(within=f"{WITHIN}s", warn_at=(0.25, 0.5))),
    charter(promise(within=f"{WITHIN}s", calendar="office", warn_at=(0.5,))),
]

seconds = st.integers(-12, 12)  # NOON is 14:00 in Ljubljana: the office is open all the time


@st.composite
def histories(draw):
    asked = draw(st.lists(seconds, min_size=1, max_size=4))
    answered = draw(st.lists(seconds, max_size=4))
    events = [customer_writes(NOON + at * SECOND) for at in asked]
    events += [agent_writes(NOON + at * SECOND) for at in answered]
    repeated = draw(st.lists(st.sampled_from(events), max_size=4))
    heard = draw(st.permutations([*events, *repeated]))
    looks = draw(st.lists(st.tuples(st.integers(0, len(heard)), seconds), max_size=6))
    return asked, answered, heard, looks, draw(st.integers(1, 5))


def expected(asked, answered):
    """The rule in one line each, told apart from how the clock finds it."""
    start = min(asked)
    stop = min((at for at in answered if at >= start), default=None)
    return "met" if stop is not None and stop - start <= WITHIN else "breached"


def run(world, heard, looks, batch_size):
    """Hear batches, with timers fired in between at moments that may even go back."""
    for place in range(0, len(heard), batch_size):
        world.hears(*heard[place : place + batch_size], now=NOON)
        for after, at in looks:
            if place <= after < place + batch_size:
                world.ticks(NOON + at * SECOND)
    world.ticks_until_quiet(END)


@given(histories(), st.sampled_from(CHARTERS))
def test_any_order_with_duplicates_and_looks_ends_in_the_outcome_by_event_time(history, in_force):
    asked, answered, heard, looks, batch_size = history
    world = SlaWorld(in_force)
    run(world, heard, looks, batch_size)
    clock = world.clock()
    assert clock["status"] == expected(asked, answered)
    assert clock["started_at"] == NOON + min(asked) * SECOND
    assert clock["due_at"] == clock["started_at"] + WITHIN * SECOND
    assert world.timers == {}


@given(histories(), st.sampled_from(CHARTERS))
def test_the_last_thing_told_is_the_outcome_by_event_time(history, in_force):
    asked, answered, heard, looks, batch_size = history
    world = SlaWorld(in_force)
    run(world, heard, looks, batch_size)
    outcome = [event for event in world.published if kinds([event])[0] in ("met", "breached")][-1]
    assert kinds([outcome]) == [expected(asked, answered)]
    assert outcome.data.started_at == NOON + min(asked) * SECOND
    if kinds([outcome]) == ["met"]:
        stop = min(at for at in answered if at >= min(asked))
        assert outcome.data.stopped_at == NOON + stop * SECOND


@given(histories(), st.sampled_from(CHARTERS))
def test_warnings_come_once_each_and_before_any_breach(history, in_force):
    _, _, heard, looks, batch_size = history
    world = SlaWorld(in_force)
    run(world, heard, looks, batch_size)
    told = kinds(world.published)
    shares = [event.data.elapsed_share for event in world.published if kinds([event]) == ["warned"]]
    promised = [share for share, _ in in_force.promise_for("email", None).warn_after]
    assert shares == promised[: len(shares)]
    if "breached" in told:
        assert shares == promised
        assert "warned" not in told[told.index("breached") :]


@given(histories(), st.sampled_from(CHARTERS))
def test_no_two_different_things_are_told_under_one_id(history, in_force):
    _, _, heard, looks, batch_size = history
    world = SlaWorld(in_force)
    run(world, heard, looks, batch_size)
    ids = [event.id for event in world.published]
    for event in world.published:
        twins = [other for other in world.published if other.id == event.id]
        assert all(other.data == event.data for other in twins), ids


@given(histories())
def test_after_a_correction_the_kept_promise_says_that_it_corrects(history):
    _, _, heard, looks, batch_size = history
    world = SlaWorld(CHARTERS[0])
    run(world, heard, looks, batch_size)
    breached = False
    for event in world.published:
        if kinds([event]) == ["met"]:
            assert event.data.corrects_breach == breached
        breached = breached or kinds([event]) == ["breached"]
