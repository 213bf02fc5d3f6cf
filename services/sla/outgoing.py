"""Announcements as SLA events; ids come from the clock and what is told, never from when."""

from datetime import datetime
from typing import Any

from services.sla.domain.announce import Announcement
from services.sla.domain.clock import Clock
from shared.events import About, Event
from shared.events.sla import (
    ClockBreached,
    ClockData,
    ClockMet,
    ClockMetData,
    ClockStarted,
    ClockWarned,
    ClockWarnedData,
)

SOURCE = "/sla"


def event_of(announcement: Announcement) -> Event:
    """Return the event that tells an announcement: its time is the instant it counts at."""
    clock = announcement.clock
    common = _common(clock)
    if announcement.kind == "started":
        return _event(ClockStarted, announcement, ClockData.trusted(**common), clock.started_at)
    if announcement.kind == "breached":
        data = ClockData.trusted(**common)
        return _event(ClockBreached, announcement, data, clock.started_at, clock.due_at)
    if announcement.kind == "warned":
        share, late = announcement.elapsed_share, announcement.late
        warned = ClockWarnedData.trusted(**common, elapsed_share=share, late=late)
        return _event(ClockWarned, announcement, warned, share)
    met = ClockMetData.trusted(
        **common, stopped_at=clock.stopped_at, corrects_breach=announcement.corrects_breach
    )
    return _event(ClockMet, announcement, met, clock.started_at, clock.stopped_at)


def _event(
    kind: type[Event], announcement: Announcement, data: ClockData, *told: datetime | float | None
) -> Event:
    return kind.following(
        announcement.clock.clock_id,
        data,
        source=SOURCE,
        time=announcement.at,
        key=announcement.clock.conversation_id,
        about="/".join(str(part) for part in told),
    )


def _common(clock: Clock) -> dict[str, Any]:
    return {
        "about": About.trusted(
            conversation_id=clock.conversation_id,
            channel=clock.channel,
            contact_points=clock.contact_points,
            case_id=clock.case_id,
            case_reference=clock.case_reference,
        ),
        "clock_id": clock.clock_id,
        "target": clock.target,
        "started_at": clock.started_at,
        "due_at": clock.due_at,
        "charter_version": clock.charter_version,
    }
