"""Checks of people's text: emoji, right-to-left, NUL, surrogates and great length."""

import unicodedata

from services.ingest.adapters.contract import Parsed
from services.ingest.conformance.bodies import with_text
from services.ingest.conformance.report import Check
from services.ingest.conformance.subject import Absent, Failed, Subject, data_of, require
from shared.events import Event, decode, encode
from shared.events.contact_data import MAX_TEXT
from shared.events.topics import HOME

ZWJ = "\u200d"
_EMOJI = "Hvala 👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 e\u0301"
_RTL = "שלום \u202bعليكم\u202c 12 \u2067ok\u2069"
_HIDDEN = {"NUL": "a\x00b", "a lone surrogate": "a\ud83db"}
_LONG = "a\u010d" * (MAX_TEXT // 2 + 50)


def words(event: Event) -> str:
    """Return every text of a customer in an event."""
    data = data_of(event)
    found = [getattr(data, name, None) for name in ("text", "summary", "choice", "reaction")]
    found += [each.value for each in getattr(data, "fields", ())]
    return "\n".join(text for text in found if text)


def told(subject: Subject, text: str) -> Parsed:
    """Return what the plain message becomes with another text; `Absent` where it has none."""
    plain = subject.plain()
    (event, *_) = subject.understood(plain).events
    for said in (line for line in words(event).splitlines() if len(line) > 3):
        changed = with_text(plain, said, text)
        if changed is not None:
            return subject.understood(changed)
    raise Absent("its plain message has no text that could be another")


def _unchanged(subject: Subject, what: str, probe: str) -> str:
    name = subject.folder.shown(what)
    if name is not None:
        said = "".join(words(event) for event in subject.shown(what))
        require(_has(what, said), f"the payload `{name}` shows no {what}")
    try:
        parsed = told(subject, probe)
    except Absent:
        if name is None:
            raise
        return "by its payload only"
    require(
        any(probe in words(event) for event in parsed.events), "the text comes out as another one"
    )
    return ""


def _has(what: str, text: str) -> bool:
    if what == "emoji":
        return ZWJ in text
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)


def _emoji(subject: Subject) -> str:
    return _unchanged(subject, "emoji", _EMOJI)


def _rtl(subject: Subject) -> str:
    return _unchanged(subject, "rtl", _RTL)


def _hidden(subject: Subject) -> str:
    for what, probe in _HIDDEN.items():
        try:
            parsed = told(subject, probe)
        except Failed:
            if subject.adapter.own_format:
                continue  # put aside: whoever writes our own format is told of the mistake
            raise
        require(bool(parsed.events or parsed.broken), f"{what}: the message vanishes")
        for event in parsed.events:
            require(survives(event), f"{what}: the event cannot be written")
    return ""


def survives(event: Event) -> bool:
    """Say whether an event comes back from its topic as it was."""
    return bool(decode(HOME[event.type].name, encode(event)) == event)


def _long(subject: Subject) -> str:
    if subject.adapter.own_format:
        raise Absent("events of ours have their limits, and are refused beyond")
    parsed = told(subject, _LONG)
    require(bool(parsed.events), f"a text of {len(_LONG)} characters is not taken")
    for event in parsed.events:
        data = data_of(event)
        require(len(getattr(data, "text", None) or "") <= MAX_TEXT, "the text is not cut")
        require(getattr(data, "truncated", True), "a text that was cut does not say so")
        require(survives(event), "the event cannot be written")
    return ""


CHECKS = (
    Check("emoji", "joined emoji come out unchanged", _emoji),
    Check("right to left", "so do right-to-left text and its marks", _rtl),
    Check("odd characters", "NUL and lone surrogates do no harm", _hidden),
    Check("long text", "64 KiB of text are cut, not refused", _long),
)
