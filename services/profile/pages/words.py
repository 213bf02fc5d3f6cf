"""A timeline entry in plain words, as a person reads it: pure functions, no markup.

What is not in the tables below is shown by its own name, so a new channel, target or kind needs no
release to be readable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.profile.domain.timeline import Entry
from services.profile.pages.records import record_lines

CHANNEL_NAMES = {
    "voice": "phone",
    "email": "e-mail",
    "sms": "SMS",
    "messaging": "messenger",
    "social": "social media",
    "chat": "live chat",
    "form": "web form",
    "portal": "portal",
}
_PROMISES = {
    "first-response": "to answer",
    "next-response": "to answer again",
    "resolution": "to solve it",
}


@dataclass(frozen=True, slots=True)
class Words:
    """What an entry says.

    `side` is `customer`, `us`, or `note` for what was decided; `tone` is `plain`, `good`, `risk`
    or `bad`.
    """

    title: str
    side: str = "note"
    tone: str = "plain"
    subject: str = ""
    text: str = ""
    lines: tuple[str, ...] = ()


def channel_name(channel: str | None) -> str:
    """Return a channel's name in a sentence."""
    return CHANNEL_NAMES.get(channel or "", (channel or "").replace("-", " "))


def words(entry: Entry, zone: ZoneInfo) -> Words:
    """Return what an entry says, in the reader's time zone."""
    say = _SAY.get(entry.kind)
    if say is None or entry.opaque:
        name = entry.kind.removeprefix("throughline.")
        return Words(f"Something this version has no words for: {name}")
    return say(entry, entry.data, zone)


def _received(entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    by = f"by {channel_name(entry.channel)}"
    title = f"Automatic reply {by}" if data.get("automatic") else f"Wrote {by}"
    if data.get("kind", "text") not in ("text", "email"):
        title = f"Sent {_article(data['kind'])} {by}"
    return _message(title, "customer", data)


def _sent(entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    who = {"agent": "We answered", "bot": "The bot answered"}.get(data["sender"], "We sent word")
    return _message(f"{who} by {channel_name(entry.channel)}", "us", data)


def _message(title: str, side: str, data: Mapping[str, Any]) -> Words:
    files = tuple(
        f"Attached: {each.get('name') or each.get('media_type', 'a file')}"
        for each in data.get("attachments", ())
    )
    more = ("The message goes on; this is its beginning.",) if data.get("truncated") else ()
    return Words(
        title,
        side,
        subject=data.get("subject") or "",
        text=data.get("text") or "",
        lines=files + more,
    )


def _delivery(_entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    if data["status"] == "failed":
        why = (data["reason"],) if data.get("reason") else ()
        return Words("Our message could not be delivered", "us", "bad", lines=why)
    return Words(f"Our message was {data['status'].replace('-', ' ')}", "us")


def _engagement(entry: Entry) -> str:
    return {"voice": "call", "chat": "chat"}.get(entry.channel or "", "conversation")


def _interaction_started(entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    if data.get("direction") == "outbound":
        return Words(f"We began {_article(_engagement(entry))}", "us")
    return Words(f"Began {_article(_engagement(entry))}", "customer")


def _interaction_answered(entry: Entry, _data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    return Words(f"The {_engagement(entry)} was answered", "us")


def _interaction_ended(entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    what, reason = _engagement(entry), data.get("reason", "completed")
    if reason == "abandoned":
        return Words(f"Gave up before the {what} was answered", "customer", "risk")
    talked = data.get("talk_seconds")
    lasted = f" after {spoken(timedelta(seconds=talked))}" if talked else ""
    how = "" if reason == "completed" else f" ({reason.replace('-', ' ')})"
    return Words(f"The {what} ended{lasted}{how}", "customer")


def _interaction(title: str) -> Callable[..., Words]:
    def say(entry: Entry, _data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
        return Words(title.format(what=_engagement(entry)), "us")

    return say


def _reacted(_entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    reaction = data.get("reaction") or "a reaction"
    verb = "Took back" if data.get("removed") else "Reacted with"
    return Words(f"{verb} {reaction}", "customer")


def _chosen(_entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    return Words("Chose in self-service", "customer", lines=(f"{data['menu']}: {data['choice']}",))


def _unrecognised(entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    kind, channel = data["kind"], channel_name(entry.channel)
    return Words(f"Something this version has no words for, by {channel}: {kind}")


def _form(_entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    return Words(f"Sent the form “{data['form']}”", "customer", lines=_fields(data))


def _self_service_finished(_entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    resolved = data.get("resolved")  # None when nobody said
    solved = "" if resolved is None else ", solved" if resolved else ", not solved"
    return Words(f"Helped themselves{solved}", "customer", subject=data.get("topic") or "")


def _self_service_handed_over(_entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    return Words(
        "Self-service asked for an agent",
        "customer",
        subject=data.get("topic") or "",
        text=data.get("summary") or "",
        lines=_fields(data),
    )


def _fields(data: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{field['name']}: {field['value']}" for field in data.get("fields", ()))


def _address_changed(_entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    return Words(
        "An address changed",
        lines=(f"{data['previous'].partition(':')[2]} became {data['current'].partition(':')[2]}",),
    )


def _recorded(_entry: Entry, data: Mapping[str, Any], zone: ZoneInfo) -> Words:
    who = f": {data['name']}" if data.get("name") else ""
    return Words(f"The system of record told who this is{who}", lines=record_lines(data, zone))


def _case_opened(_entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    return Words(f"A case was opened, for {_queue(data)}")


def _queued(_entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    if data.get("reason", "arrived") == "arrived":
        return Words(f"Waits for an agent in {_queue(data)}")
    return Words(f"Waits again in {_queue(data)}; its age is kept", tone="risk")


def _offer(verb: str, tone: str = "plain") -> Callable[..., Words]:
    def say(_entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
        return Words(verb.format(agent=data["agent_name"]), tone=tone)

    return say


def _completed(_entry: Entry, data: Mapping[str, Any], _zone: ZoneInfo) -> Words:
    took = spoken(timedelta(seconds=data["handled_seconds"]))
    return Words(f"{data['agent_name']} completed it in {took}", tone="good")


def _promised(entry: Entry, data: Mapping[str, Any], zone: ZoneInfo) -> Words:
    return Words(f"We promised {_promise(entry, data, zone)}")


def _warned(entry: Entry, data: Mapping[str, Any], zone: ZoneInfo) -> Words:
    share = round(data["elapsed_share"] * 100)
    title = f"The promise {_promise(entry, data, zone)} is at risk"
    if data.get("late"):
        return Words(title, tone="risk", lines=("We noticed only after it was due.",))
    return Words(f"{title}: {share}\N{NO-BREAK SPACE}% of the time is gone", tone="risk")


def _breached(entry: Entry, data: Mapping[str, Any], zone: ZoneInfo) -> Words:
    return Words(f"The promise {_promise(entry, data, zone)} was broken", tone="bad")


def _met(entry: Entry, data: Mapping[str, Any], zone: ZoneInfo) -> Words:
    after_all = " after all" if data.get("corrects_breach") else ""
    left = data["due_at"] - data["stopped_at"]
    spare = f"{spoken(left)} before it was due" if left >= timedelta(seconds=1) else "just in time"
    return Words(
        f"The promise {_promise(entry, data, zone)} was kept{after_all}, {spare}", tone="good"
    )


def _promise(entry: Entry, data: Mapping[str, Any], zone: ZoneInfo) -> str:
    target = data["target"]
    what = _PROMISES.get(target, f"“{target.replace('-', ' ')}”")
    due, told = data["due_at"].astimezone(zone), entry.occurred_at.astimezone(zone)
    return f"{what} by {_when(due, told)}"


def _when(moment: datetime, told: datetime) -> str:
    clock = moment.strftime("%H:%M")
    return (
        clock
        if moment.date() == told.date()
        else f"{clock} on {moment:%A}, {moment.day} {moment:%B}"
    )


def _queue(data: Mapping[str, Any]) -> str:
    return f"the queue “{data['queue']}”"


def _article(noun: str) -> str:
    return f"{'an' if noun[:1] in 'aeio' else 'a'} {noun.replace('-', ' ')}"


def spoken(length: timedelta) -> str:
    """Return a length of time as one says it, in its two largest units."""
    seconds = max(round(length.total_seconds()), 0)
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts: list[tuple[int, str]] = []
    for name, size in units:
        number, seconds = divmod(seconds, size)
        if number or parts:
            parts.append((number, name))
    shown = [f"{number}\N{NO-BREAK SPACE}{name}" for number, name in parts[:2] if number]
    return " ".join(shown) or "0\N{NO-BREAK SPACE}s"


_SAY: Mapping[str, Callable[[Entry, Mapping[str, Any], ZoneInfo], Words]] = {
    "message.received": _received,
    "message.sent": _sent,
    "message.edited": lambda _, data, __: _message("A message was changed", "customer", data),
    "message.deleted": lambda _, __, ___: Words("A message was taken back", "customer"),
    "delivery.changed": _delivery,
    "interaction.started": _interaction_started,
    "interaction.answered": _interaction_answered,
    "interaction.held": _interaction("The {what} was put on hold"),
    "interaction.resumed": _interaction("The {what} went on"),
    "interaction.ended": _interaction_ended,
    "interaction.recorded": _interaction("The {what} was recorded"),
    "message.reacted": _reacted,
    "choice.made": _chosen,
    "contact.unrecognised": _unrecognised,
    "form.submitted": _form,
    "self-service.finished": _self_service_finished,
    "self-service.handed-over": _self_service_handed_over,
    "contact-point.changed": _address_changed,
    "customer.recorded": _recorded,
    "case.opened": _case_opened,
    "work-item.queued": _queued,
    "offer.made": _offer("Offered to {agent}"),
    "offer.accepted": _offer("{agent} took it", "good"),
    "offer.declined": _offer("{agent} declined", "risk"),
    "offer.expired": _offer("{agent} did not answer the offer in time", "risk"),
    "offer.withdrawn": _offer("The offer to {agent} was withdrawn", "risk"),
    "work-item.completed": _completed,
    "clock.started": _promised,
    "clock.warned": _warned,
    "clock.breached": _breached,
    "clock.met": _met,
}
