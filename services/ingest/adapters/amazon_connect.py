"""Amazon Connect: calls, chats and tasks, as its contact events tell them through EventBridge.

Sources: Amazon's page "Amazon Connect contact events". They are sent with best effort, may come
twice and in any order: ids are made of contact, kind and time, and every time is Connect's own.

A contact is the interaction; a transfer begins another in the conversation of `initialContactId`.
"""

from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, each, from_iso, kept_whole, seconds_between
from services.ingest.adapters.contract import Adapter, Broken, Parsed, Unparseable
from services.ingest.adapters.payloads.eventbridge import API_KEY, BridgeEvent, event_of, telephone
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import clean, short
from shared.contact_points import contact_point
from shared.events import Event
from shared.events.contact import (
    ContactUnrecognised,
    InteractionAnswered,
    InteractionEnded,
    InteractionStarted,
)
from shared.ids import KeyedIds

DETAIL_TYPE = "Amazon Connect Contact Event"
CHANNELS = {"VOICE": "voice", "CHAT": "chat", "TASK": "task", "EMAIL": "email"}
KINDS = {"VOICE": "call", "CHAT": "chat", "TASK": "task", "EMAIL": "email"}
QUIET = frozenset(
    {"CONNECTED_TO_SYSTEM", "COMPLETED", "CONTACT_DATA_UPDATED", "AMD_DISABLED"}
    | {"PAUSED", "RESUMED", "SCHEDULED"}
)
TIMES = {
    "INITIATED": ("initiationTimestamp",),
    "QUEUED": ("queueInfo", "enqueueTimestamp"),
    "CONNECTED_TO_AGENT": ("agentInfo", "connectedToAgentTimestamp"),
    "DISCONNECTED": ("disconnectTimestamp",),
}
OUTBOUND = frozenset({"OUTBOUND", "EXTERNAL_OUTBOUND", "AGENT_REPLY", "CALLBACK"})
FAILURES = {"TELECOM_PROBLEM": "failed", "EXPIRED": "expired"}


class AmazonConnect(Adapter):
    """Contact events of one instance of Amazon Connect, sent on by an API destination."""

    provider = "amazon-connect"
    scheme = API_KEY
    optional = frozenset({"instance_arn"})

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one event."""
        event = event_of(request)
        if event.kind != DETAIL_TYPE:
            raise Unparseable("detail-type: not a contact event")
        kind = string_at(event.detail, "eventType")
        if kind in QUIET:
            return Parsed(ignored=(kind,))
        builder = Builder(account, received_at, ids, vouched=True)
        events, broken = each([event], lambda e: [_translate(builder, e)], lambda _: request.body)
        return Parsed(tuple(events), tuple(broken))


def _translate(builder: Builder, event: BridgeEvent) -> Event:
    detail = {name[:1].lower() + name[1:]: value for name, value in event.detail.items()}
    kind, contact = string_at(detail, "eventType"), string_at(detail, "contactId")
    if kind is None or contact is None:
        raise Broken("contactId: missing" if kind else "eventType: missing")
    ours = builder.account.options.get("instance_arn")
    if ours and string_at(detail, "instanceArn") != ours:
        raise Broken("instanceArn: another instance's")
    moment = _moment(detail, *TIMES.get(kind, ("updateTimestamp",))) or event.time
    update = string_at(detail, "updateTimestamp") or (moment.isoformat() if moment else "")
    own_id = clean(f"{contact}/{kind}/{update}")
    told = _interaction(builder, detail, clean(contact)) | {"occurred_at": moment}
    if kind in ("INITIATED", "QUEUED"):
        return builder.event(InteractionStarted, own_id, **told)
    if kind == "CONNECTED_TO_AGENT":
        told["agent_id"] = _name(detail, "agentInfo", "agentArn")
        return builder.event(InteractionAnswered, own_id, **told)
    if kind == "DISCONNECTED":
        return builder.event(InteractionEnded, own_id, **told, **_ending(detail, moment))
    for name in ("interaction_id", "direction", "kind", "queue"):
        del told[name]
    told |= {"kind": short(kind), "raw": kept_whole(event.detail)}
    return builder.event(ContactUnrecognised, own_id, **told)


def _interaction(builder: Builder, detail: dict[str, Any], contact: str) -> dict[str, Any]:
    medium = (string_at(detail, "channel") or "").upper()
    method = string_at(detail, "initiationMethod") or ""
    about = {name: detail.get(name) for name in ("initiationMethod", "disconnectReason")}
    return {
        "conversation": ("contact", clean(string_at(detail, "initialContactId") or contact)),
        "channel": CHANNELS.get(medium, "unknown"),
        "contact_points": (_customer(builder, detail, contact),),
        "interaction_id": contact,
        "direction": "outbound" if method in OUTBOUND else "inbound",
        "kind": KINDS.get(medium, "unknown"),
        "queue": _name(detail, "queueInfo", "queueArn"),
        "raw": kept_whole({name: value for name, value in about.items() if value}) or None,
    }


def _customer(builder: Builder, detail: dict[str, Any], contact: str) -> str:
    """Return the number where Connect tells it, else its own id of the customer or the contact."""
    if number := telephone(string_at(detail, "customerEndpoint", "address")):
        return number
    known = string_at(detail, "customerId") or string_at(detail, "initialContactId") or contact
    return contact_point("amazon-connect", f"{builder.account.name}/{clean(known)}")


def _ending(detail: dict[str, Any], ended: datetime | None) -> dict[str, Any]:
    """Return why a contact ended, and how long was waited and talked."""
    started = _moment(detail, *TIMES["INITIATED"])
    answered = _moment(detail, *TIMES["CONNECTED_TO_AGENT"])
    waited_in_vain = answered is None and _moment(detail, *TIMES["QUEUED"]) is not None
    failure = FAILURES.get(string_at(detail, "disconnectReason") or "")
    return {
        "reason": failure or ("abandoned" if waited_in_vain else "completed"),
        "wait_seconds": seconds_between(started, answered or ended),
        "talk_seconds": seconds_between(answered, ended),
    }


def _moment(detail: dict[str, Any], *path: str) -> datetime | None:
    *within, name = path
    place = object_at(detail, *within)
    return from_iso(string_at(place, name) or string_at(place, name[:1].upper() + name[1:]))


def _name(detail: dict[str, Any], *path: str) -> str | None:
    """Return the last part of an ARN: the id of a queue or an agent."""
    *within, name = path
    place = object_at(detail, *within)
    arn = string_at(place, name) or string_at(place, name[:1].upper() + name[1:]) or ""
    return clean(arn.rpartition("/")[2])[:256] or None
