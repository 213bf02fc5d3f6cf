"""First-response clocks: what starts, stops, warns and breaks a promise."""

from datetime import timedelta

import pytest

from shared.streams import Received, TimerDue
from tests.support.builders_sla import (
    HOUR,
    MINUTE,
    NOON,
    SlaWorld,
    agent_picks_up,
    agent_writes,
    bot_hands_over,
    case_opens,
    charter,
    customer_calls,
    customer_writes,
    form_comes_in,
    kinds,
    promise,
)

DUE = NOON + 4 * HOUR
WARN = NOON + 3 * HOUR
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def world() -> SlaWorld:
    return SlaWorld()


def test_a_customer_message_starts_a_clock_with_the_due_time_of_its_promise(world):
    [started] = world.hears(customer_writes(NOON))
    assert kinds([started]) == ["started"]
    assert (started.data.started_at, started.data.due_at) == (NOON, DUE)
    assert started.time == NOON
    assert started.partitionkey == "conv_1"
    assert started.data.target == "first-response"
    assert started.data.charter_version == "0123456789ab"


def test_an_agents_reply_in_time_meets_it_and_stops_the_timer(world):
    world.hears(customer_writes(NOON))
    [met] = world.hears(agent_writes(NOON + HOUR))
    assert kinds([met]) == ["met"]
    assert (met.time, met.data.stopped_at) == (NOON + HOUR, NOON + HOUR)
    assert not met.data.corrects_breach
    assert world.timers == {}
    assert world.results() == ["met"]


def test_a_reply_exactly_at_the_due_time_meets_it(world):
    world.hears(customer_writes(NOON))
    assert kinds(world.hears(agent_writes(DUE), now=DUE + HOUR)) == ["met"]


def test_a_reply_a_millisecond_after_the_due_time_does_not(world):
    world.hears(customer_writes(NOON))
    told = world.hears(agent_writes(DUE + MILLISECOND), now=DUE + MILLISECOND)
    assert kinds(told) == ["warned", "breached"]
    assert world.clock()["status"] == "breached"


def test_warning_comes_before_the_breach_and_each_once(world):
    world.hears(customer_writes(NOON))
    assert world.ticks(WARN - MILLISECOND) == []
    [warned] = world.ticks(WARN)
    assert (kinds([warned]), warned.time) == (["warned"], WARN)
    assert (warned.data.elapsed_share, warned.data.late) == (0.75, False)
    [breached] = world.ticks(DUE)
    assert (kinds([breached]), breached.time) == (["breached"], DUE)
    assert world.timers == {}
    assert world.results() == ["breached"]


def test_every_share_is_warned_at_once_in_order():
    world = SlaWorld(charter(promise(warn_at=(0.25, 0.5, 0.75))))
    world.hears(customer_writes(NOON))
    told = [event for hour in (1, 2, 3) for event in world.ticks(NOON + hour * HOUR)]
    assert [event.data.elapsed_share for event in told] == [0.25, 0.5, 0.75]


def test_a_late_wake_up_tells_the_warning_as_late_before_the_breach_in_one_batch(world):
    world.hears(customer_writes(NOON))
    warned, breached = world.ticks(DUE + 6 * HOUR)
    assert kinds([warned, breached]) == ["warned", "breached"]
    assert warned.data.late
    assert (warned.time, breached.time) == (WARN, DUE)


def test_a_timer_that_fires_twice_changes_nothing(world):
    world.hears(customer_writes(NOON))
    timer = next(iter(world.timers.values()))
    again = TimerDue(timer.timer_id, timer.kind, timer.due_at, timer.data, timer.shard)
    assert kinds(world.handles([again, again], DUE)) == ["warned", "breached"]
    kept = dict(world.clock())
    assert world.handles([again], DUE + HOUR) == []
    assert world.clock() == kept
    assert world.timers == {}


def test_a_timer_of_a_clock_that_is_gone_changes_nothing(world):
    gone = TimerDue("clock_gone", "clock-due", DUE, {}, "sla/contact-events/0")
    assert world.handles([gone], DUE) == []


def test_late_reply_between_ticks_is_recorded_as_a_miss(world):
    """Others stop looking at the clock once there is a reply, and the miss is never recorded."""
    world.hears(customer_writes(NOON))
    told = world.hears(agent_writes(DUE + MINUTE), now=DUE + MINUTE)
    assert kinds(told) == ["warned", "breached"]
    assert told[-1].time == DUE
    assert world.results() == ["breached"]


@pytest.mark.parametrize("looked_at", [DUE + MINUTE, DUE + 30 * HOUR])
def test_a_late_reply_is_a_miss_whenever_it_is_evaluated(world, looked_at):
    """Others record a promise resolved after its deadline, but before the next scan, as kept."""
    told = world.hears(customer_writes(NOON), agent_writes(DUE + MINUTE), now=looked_at)
    assert kinds(told) == ["started", "warned", "breached"]


def test_a_reply_in_time_is_met_however_late_it_is_processed(world):
    told = world.hears(customer_writes(NOON), agent_writes(DUE - MINUTE), now=DUE + 30 * HOUR)
    assert kinds(told) == ["started", "met"]


def test_a_reply_in_time_heard_after_the_breach_corrects_it(world):
    world.hears(customer_writes(NOON))
    world.ticks(DUE)
    [met] = world.hears(agent_writes(DUE - MINUTE), now=DUE + HOUR)
    assert kinds([met]) == ["met"]
    assert met.data.corrects_breach
    assert met.data.stopped_at == DUE - MINUTE
    assert world.results() == ["breached", "corrected"]


def test_a_late_reply_after_the_breach_is_kept_but_tells_nothing_new(world):
    world.hears(customer_writes(NOON))
    world.ticks(DUE)
    assert world.hears(agent_writes(DUE + HOUR), now=DUE + HOUR) == []
    assert world.clock()["stopped_at"] == DUE + HOUR


def test_an_answer_and_its_overdue_timer_in_one_batch_tell_no_breach(world):
    world.hears(customer_writes(NOON))
    timer = next(iter(world.timers.values()))
    due = TimerDue(timer.timer_id, timer.kind, timer.due_at, timer.data, timer.shard)
    answer = Received(agent_writes(DUE - MINUTE), "sla/contact-events/0")
    assert kinds(world.handles([due, answer], DUE + HOUR)) == ["met"]
    assert world.timers == {}


def test_a_duplicate_changes_nothing_and_publishes_nothing(world):
    question, answer = customer_writes(NOON), agent_writes(NOON + HOUR)
    world.hears(question, answer)
    kept = dict(world.clock())
    assert world.hears(question, answer, question) == []
    assert world.clock() == kept


def test_deciding_the_same_batch_again_gives_the_same_ids():
    question = customer_writes(NOON)
    first, second = SlaWorld(), SlaWorld()
    for world in (first, second):
        world.hears(question)
        world.ticks_until_quiet(DUE + HOUR)
    assert [event.id for event in first.published] == [event.id for event in second.published]
    assert len({event.id for event in first.published}) == 3


def test_an_earlier_message_heard_late_moves_the_start_and_says_so(world):
    world.hears(customer_writes(NOON))
    [started] = world.hears(customer_writes(NOON - HOUR))
    assert (started.data.started_at, started.data.due_at) == (NOON - HOUR, DUE - HOUR)
    assert next(iter(world.timers.values())).due_at == WARN - HOUR
    assert len({event.id for event in world.published}) == 2


def test_a_later_message_starts_no_second_clock(world):
    world.hears(customer_writes(NOON))
    world.hears(agent_writes(NOON + MINUTE))
    assert world.hears(customer_writes(NOON + HOUR)) == []
    assert world.timers == {}


def test_an_answer_heard_before_its_question_counts(world):
    assert world.hears(agent_writes(NOON + HOUR)) == []
    assert kinds(world.hears(customer_writes(NOON))) == ["started", "met"]


def test_an_answer_from_before_the_question_does_not_count(world):
    told = world.hears(agent_writes(NOON - HOUR), customer_writes(NOON))
    assert kinds(told) == ["started"]
    assert world.clock()["status"] == "running"


def test_a_kept_promise_is_broken_by_an_earlier_question_heard_late(world):
    world.hears(customer_writes(NOON), agent_writes(NOON + HOUR))
    told = world.hears(customer_writes(NOON - 10 * HOUR), now=NOON + 2 * HOUR)
    assert kinds(told) == ["started", "warned", "breached"]
    assert world.clock()["status"] == "breached"


@pytest.mark.parametrize(
    "event",
    [
        customer_writes(automatic=True),
        customer_calls(direction="outbound"),
        customer_calls(channel="chat"),
        customer_writes(channel="social"),
    ],
    ids=["auto-reply", "outbound call", "chat session without a message", "nothing promised"],
)
def test_what_owes_nobody_an_answer_starts_no_clock(event):
    world = SlaWorld(charter(promise("email"), promise("voice"), promise("chat")))
    assert world.hears(event) == []
    assert world.documents == {}


@pytest.mark.parametrize(
    "event",
    [
        agent_writes(NOON + HOUR, sender="bot"),
        agent_writes(NOON + HOUR, sender="system"),
        agent_writes(NOON + HOUR, automatic=True),
    ],
    ids=["bot", "system", "out of office"],
)
def test_only_a_person_meets_the_promise(world, event):
    world.hears(customer_writes(NOON))
    assert world.hears(event) == []
    assert world.clock()["status"] == "running"


def test_a_call_is_answered_in_seconds():
    world = SlaWorld(charter(promise("voice", "20s", warn_at=(0.5,))))
    [started] = world.hears(customer_calls(NOON))
    assert started.data.due_at == NOON + timedelta(seconds=20)
    assert kinds(world.hears(agent_picks_up(NOON + timedelta(seconds=20)))) == ["met"]


@pytest.mark.parametrize("event", [form_comes_in(), bot_hands_over()], ids=["form", "hand-over"])
def test_forms_and_hand_overs_start_clocks(event):
    world = SlaWorld(charter(promise("form"), promise("chat")))
    assert kinds(world.hears(event)) == ["started"]


def test_an_account_has_its_own_promise_before_its_channels():
    express = promise(within="15m", channel_account="express@example.com")
    world = SlaWorld(charter(promise(), express))
    [slow] = world.hears(customer_writes(conversation="conv_1"))
    [fast] = world.hears(customer_writes(conversation="conv_2", account="express@example.com"))
    assert slow.data.due_at == NOON + 4 * HOUR
    assert fast.data.due_at == NOON + 15 * MINUTE


def test_the_case_is_named_by_the_warning(world):
    world.hears(customer_writes(NOON))
    opened = case_opens()
    assert world.hears(opened) == []
    [warned] = world.ticks(WARN)
    assert warned.data.about.case_id == opened.data.about.case_id
    assert warned.data.about.case_reference == opened.data.about.case_reference


def test_a_case_heard_of_before_the_question_is_remembered(world):
    opened = case_opens()
    world.hears(opened)
    [started] = world.hears(customer_writes(NOON))
    assert started.data.about.case_reference == opened.data.about.case_reference


def test_naming_the_case_does_not_touch_the_timer(world):
    world.hears(customer_writes(NOON))
    kept = dict(world.timers)
    world.hears(case_opens())
    assert world.timers == kept


def test_lunch_break_and_night_do_not_count():
    """Asked Wednesday 11:30, 4 h: half an hour, then from 13:00 to 16:30 (Ljubljana)."""
    world = SlaWorld(charter(promise(calendar="office")))
    [before_lunch] = world.hears(customer_writes(NOON - 2.5 * HOUR))
    assert before_lunch.data.due_at == NOON + 2.5 * HOUR
    [evening] = world.hears(customer_writes(NOON + 2 * HOUR, conversation="conv_2"))
    # asked 16:00: an hour that day, 08:00-11:00 the next
    assert evening.data.due_at == NOON + 21 * HOUR


def test_many_conversations_in_one_batch_are_each_saved_once(world):
    events = [
        make(NOON + minute * MINUTE, conversation=f"conv_{i}")
        for i in range(20)
        for minute, make in ((0, customer_writes), (1, customer_writes), (2, agent_writes))
    ]
    told = world.hears(*events)
    assert kinds(told) == ["started", "met"] * 20
    assert len(world.documents) == 20
