"""Checks of whose it is and when it was: no phone needed, ids scoped, times ours to judge."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.ingest.conformance.bodies import content, with_extra, written
from services.ingest.conformance.report import Check
from services.ingest.conformance.subject import Absent, Subject, data_of, require, with_body
from services.ingest.conformance.texts import survives
from shared.events import Event
from shared.events.contact import CONTACT_EVENTS

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # before every payload: each comes from the future
_ZERO = timedelta()


def _all_events(subject: Subject) -> list[Event]:
    found: list[Event] = []
    for name in subject.folder.names():
        try:
            found.extend(subject.parse(subject.request(name)).events)
        except Exception:  # which errors may be is another check's question
            continue
    return found


def _identity(subject: Subject) -> str:
    (event,) = subject.understood(subject.plain()).events
    require(bool(data_of(event).contact_points), "the customer has no contact point")
    other = replace(subject.account, name="other")
    (theirs,) = subject.understood(subject.plain(), account=other).events
    require(event.id != theirs.id, "another channel account gives the same event id")
    require(event.partitionkey != theirs.partitionkey, "and the same conversation")
    if subject.folder.shown("no-phone") is None:
        return "no payload without a phone"
    for hidden in subject.shown("no-phone"):
        points = data_of(hidden).contact_points
        require(bool(points), "without a phone there is no contact point")
        require(not any(p.startswith("tel:") for p in points), "`no-phone` shows a phone")
    return ""


def _stamps(subject: Subject) -> str:
    account, now = subject.account, subject.now
    kinds = {kind.wire_type for kind in CONTACT_EVENTS}
    events = _all_events(subject)
    for event in events:
        if event.type not in kinds:
            continue  # a customer record has no conversation
        data = data_of(event)
        require(event.partitionkey == data.conversation_id, "an event is keyed by something else")
        require(data.received_at == now, "received_at is not when it arrived")
        require(event.time <= now and event.time.utcoffset() == _ZERO, "an event time is not UTC")
        require(data.provider == account.provider, "an event names another provider")
        require(data.channel_account == account.name, "an event names another channel account")
        require(survives(event), "an event does not survive its topic")
    return f"{len(events)} events"


def _times(subject: Subject) -> str:
    early = subject.understood(subject.plain(), received_at=_LONG_AGO).events
    require(bool(early), "a message from the future is not taken")
    for event in early:
        require(event.time == _LONG_AGO, "a time from the future counts")
        require(data_of(event).received_at == _LONG_AGO, "received_at is not kept")
    (now,) = subject.understood(subject.plain()).events
    claimed = data_of(now).occurred_at
    if claimed is None:
        return "no time is told"
    require(claimed.utcoffset() is not None, "occurred_at has no zone")
    require(data_of(early[0]).occurred_at == claimed, "the provider's claim is not kept")
    return ""


def _new_fields(subject: Subject) -> str:
    if subject.adapter.own_format:
        raise Absent("in events of ours an unknown field is a typing error")
    plain = subject.plain()
    held = content(plain)
    if held is None:
        raise Absent("not JSON")
    parsed = subject.understood(with_body(plain, written(with_extra(held, {"a": [1]}))))
    (before,) = subject.understood(plain).events
    require([event.id for event in parsed.events] == [before.id], "a new field changes the ids")
    return ""


CHECKS = (
    Check("identity", "a customer needs no phone; ids stay in their account", _identity, True),
    Check("stamps", "every event is stamped by us and survives its topic", _stamps, True),
    Check("times", "times are aware, the future counts as now", _times, True),
    Check("new fields", "fields nobody has heard of change nothing", _new_fields),
)
