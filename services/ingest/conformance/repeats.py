"""Checks of repetition: sent again, sent in another order, sent with a broken part."""

import contextlib
from datetime import timedelta

from services.ingest.adapters.contract import Parsed, Unparseable
from services.ingest.adapters.request import RawRequest
from services.ingest.conformance.bodies import content, lists_of_objects, reversed_lists, written
from services.ingest.conformance.report import Check
from services.ingest.conformance.subject import Absent, Failed, Subject, require, with_body

_DAYS = timedelta(days=3)  # longer than most providers keep on trying


def _ids(parsed: Parsed) -> list[str]:
    return [event.id for event in parsed.events]


def _idempotency(subject: Subject) -> str:
    plain = subject.understood(subject.plain())
    require(len(plain.events) == 1, f"`message` gives {len(plain.events)} events, not one")
    count = 0
    for name in subject.folder.names():
        request = subject.request(name)
        try:
            first = subject.parse(request)
        except Unparseable:
            continue
        again = subject.understood(request)
        later = subject.understood(request, received_at=subject.now + _DAYS)
        require(first == again, f"{name}: parsed again, it is something else")
        require(_ids(first) == _ids(later), f"{name}: days later it has other ids")
        require(
            len({*_ids(first)}) == len(first.events) or name == subject.folder.shown("batch"),
            f"{name}: two events have one id",
        )
        count += len(first.events)
    return f"{count} events"


def _ordering(subject: Subject) -> str:
    batch = subject.payload("batch")
    held = content(batch)
    if held is None:
        raise Absent("a batch that is not JSON")
    first = subject.understood(batch)
    turned = subject.understood(with_body(batch, written(reversed_lists(held))))
    kept = {(event.id, event.partitionkey) for event in first.events}
    other = {(event.id, event.partitionkey) for event in turned.events}
    require(kept == other, "in another order there are other events")
    return f"{len(kept)} events"


def _broken_part(subject: Subject) -> str:
    batch = subject.payload("batch")
    parsed = subject.understood(batch)
    require(bool(parsed.events), "the batch gives no event")
    if not parsed.broken:
        parsed = _break_one(subject, batch, parsed)
    lost = _alone(subject, batch) - set(_ids(parsed))
    require(not lost, "a broken part takes others with it")
    require(len(parsed.broken) == 1, f"{len(parsed.broken)} parts are put aside, not one")
    (part,) = parsed.broken
    alone = subject.parse(with_body(batch, part.body))
    require(not alone.events, "the part that is put aside holds more than what was broken")
    require(
        [each.error for each in alone.broken] == [part.error],
        "the part that is put aside cannot be translated by itself",
    )
    return f"{len(parsed.events)} events, 1 dead letter"


def _alone(subject: Subject, batch: RawRequest) -> set[str]:
    """Return the ids of every event that a part of the batch gives when it comes alone."""
    held, found = content(batch), set[str]()
    for parts in lists_of_objects(held):
        every = parts[:]
        for part in every:
            parts[:] = [part]
            with contextlib.suppress(Unparseable):
                found.update(_ids(subject.parse(with_body(batch, written(held)))))
        parts[:] = every
    return found


def _break_one(subject: Subject, batch: RawRequest, whole: Parsed) -> Parsed:
    """Return what the batch gives with one part emptied, the way that breaks exactly one."""
    held = content(batch)
    if held is None:
        raise Absent("a batch that is not JSON")
    best: Parsed | None = None
    for parts in lists_of_objects(held):
        kept, parts[0] = parts[0], {}
        broken = subject.understood(with_body(batch, written(held)))
        parts[0] = kept
        if len(broken.events) == len(whole.events) - 1 and len(broken.broken) == 1:
            best = broken
    if best is None:
        raise Failed("a broken part takes others with it, or vanishes")
    return best


CHECKS = (
    Check("idempotency", "the same request gives the same ids", _idempotency, mandatory=True),
    Check("ordering", "a batch in another order gives the same events", _ordering),
    Check("broken part", "one broken part is put aside, the others go on", _broken_part),
)
