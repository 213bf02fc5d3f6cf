"""Asterisk's queues: one packet of its manager interface (AMI).

Sources: Asterisk's pages of the AMI events `QueueCallerJoin`, `QueueCallerAbandon`, `AgentConnect`,
`AgentComplete`, `Hold`, `MixMonitorStop`, `UserEvent` and `QueueEntry`.

A caller's channel (`Uniqueid`) is the call, and the call is a conversation. `QueueEntry`, from the
snapshot after a (re)connect, gives the event that `QueueCallerJoin` gave or would have given. Key
presses (`DTMF…`) are never read: they may be a PIN; a dialplan tells a choice with `UserEvent`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from services.ingest.adapters.building import Builder, each, kept_whole, seconds_of
from services.ingest.adapters.contract import Adapter, Broken, Parsed, Unparseable
from services.ingest.adapters.payloads.asterisk_packet import (
    Fields,
    fields_of,
    interaction,
    moment_of,
)
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.base import Trusted
from services.ingest.domain import limits
from services.ingest.domain.text import short
from shared.clock import to_milliseconds
from shared.events import Event
from shared.events.contact import (
    ChoiceMade,
    ContactUnrecognised,
    InteractionAnswered,
    InteractionEnded,
    InteractionHeld,
    InteractionRecorded,
    InteractionResumed,
    InteractionStarted,
)
from shared.ids import KeyedIds

TRANSLATIONS: Mapping[str, tuple[type[Event], str]] = {
    "QueueCallerJoin": (InteractionStarted, "join"),
    "QueueEntry": (InteractionStarted, "join"),
    "QueueCallerAbandon": (InteractionEnded, "abandon"),
    "AgentConnect": (InteractionAnswered, "connect"),
    "AgentComplete": (InteractionEnded, "complete"),
    "Hold": (InteractionHeld, "hold"),
    "Unhold": (InteractionResumed, "unhold"),
    "MixMonitorStop": (InteractionRecorded, "recording"),
}
BY_CALL = frozenset({"Hold", "Unhold", "MixMonitorStop"})  # may come from any channel of a call
REASONS = {"caller": "completed", "agent": "completed", "transfer": "transferred"}
QUIET = frozenset(
    {"QueueCallerLeave", "QueueParams", "QueueMember", "QueueStatusComplete", "MixMonitorStart"}
    | {"AgentCalled", "AgentRingNoAnswer", "AgentDump", "AgentLogin", "AgentLogoff", "Newchannel"}
    | {"Hangup", "Newstate", "FullyBooted", "Newexten", "VarSet", "DTMFBegin", "DTMFEnd"}
)


class Asterisk(Adapter):
    """Asterisk's manager interface: a connection that we open and log in to ourselves."""

    provider = "asterisk"
    transport = "client"
    media_types = frozenset({"text/plain"})
    max_body = limits.AMI_PACKET
    scheme = Trusted(by="our own login to the manager interface")
    more_secrets = frozenset({"username", "secret"})
    options = frozenset({"host", "port"})
    optional = frozenset({"tls", "ca_file", "region"})

    def parse(
        self, request: RawRequest, account: ChannelAccount, received_at: datetime, ids: KeyedIds
    ) -> Parsed:
        """Translate one packet."""
        fields = fields_of(request.body)
        if (name := fields.get("Event")) is None:
            raise Unparseable("Event: missing")
        builder = Builder(account, received_at, ids, vouched=True)
        number = b"".join(request.all("packet-number"))
        fields = {**fields, "packet-number": number.decode("ascii", "replace")}
        events, broken = each([fields], lambda f: _translate(builder, f), lambda _: request.body)
        ignored = () if events or broken else (name if name in QUIET else "other",)
        return Parsed(tuple(events), tuple(broken), ignored)


def _translate(builder: Builder, fields: Fields) -> list[Event]:
    """Return the event of a packet, or none for one that tells nothing of a customer."""
    name = fields["Event"]
    if name == "UserEvent":
        return _choice(builder, fields)
    if name in QUIET or not (name in TRANSLATIONS or name.startswith("QueueCaller")):
        return []
    call = fields.get("Linkedid" if name in BY_CALL else "Uniqueid", "")
    if not call:
        raise Broken("Uniqueid: missing")
    other = call != fields.get("Uniqueid")
    if name in ("Hold", "Unhold") and not other:
        return []  # the customer's own telephone holds us: nobody waits there
    told = interaction(builder, fields, call, other_party=other)
    if name not in TRANSLATIONS:
        del told["queue"], told["interaction_id"]
        told |= {"kind": short(name), "raw": kept_whole({**fields})}
        own_id = f"{call}/{name[:100]}/{moment_of(fields)}"
        return [builder.event(ContactUnrecognised, own_id, **told)]
    event_type, step = TRANSLATIONS[name]
    place = fields.get("DestUniqueid") or fields.get("Queue", "")
    own_id = f"{fields.get('Uniqueid')}/{step}/{moment_of(fields) if name in BY_CALL else place}"
    return [builder.event(event_type, own_id, **{**told, **_more(builder, name, fields)})]


def _choice(builder: Builder, fields: Fields) -> list[Event]:
    """Return what a dialplan says was chosen; other events of a dialplan are its own affair."""
    menu, choice = short(fields.get("Menu")), short(fields.get("Choice"))
    if fields.get("UserEvent") != "Choice" or not (menu and choice and fields.get("Uniqueid")):
        return []
    told = {**interaction(builder, fields, fields["Uniqueid"]), "menu": menu, "choice": choice}
    del told["queue"]
    own_id = f"{fields['Uniqueid']}/choice/{moment_of(fields) or f'{menu}/{choice}'}"
    return [builder.event(ChoiceMade, own_id, **told)]


def _more(builder: Builder, name: str, fields: Fields) -> dict[str, Any]:
    """Return what only this kind of event tells."""
    if name == "QueueEntry":
        waited = timedelta(seconds=seconds_of(fields.get("Wait")) or 0)
        return {"occurred_at": to_milliseconds(builder.received_at - waited)}
    if name == "QueueCallerAbandon":
        return {"reason": "abandoned", "wait_seconds": seconds_of(fields.get("HoldTime"))}
    if name == "AgentConnect":
        return {"agent_id": fields.get("MemberName") or None}
    if name == "AgentComplete":
        return {
            "reason": REASONS.get(fields.get("Reason", ""), "unknown"),
            "wait_seconds": seconds_of(fields.get("HoldTime")),
            "talk_seconds": seconds_of(fields.get("TalkTime")),
        }
    if name == "MixMonitorStop":
        reference = f"asterisk:{fields.get('Uniqueid', '')}"
        return {"recording": {"reference": reference, "media_type": "audio/x-wav"}}
    return {}
