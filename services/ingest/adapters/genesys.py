"""Genesys Cloud: conversations in queues and with agents, through EventBridge.

Sources: Genesys' pages "Amazon EventBridge integration" and "Available topics", and the event
models in its own client libraries (`AcdStartDetailEventTopicAcdStartEvent` and its neighbours).
Events may come twice and in any order: ids are made of conversation, session, kind and time.
"""

import re
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, each, from_iso, from_unix, kept_whole
from services.ingest.adapters.contract import Adapter, Broken, Parsed, Unparseable
from services.ingest.adapters.payloads.eventbridge import API_KEY, event_of, telephone
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain.json_fields import object_at, string_at, value_at
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

MEDIA = {
    "VOICE": ("voice", "call"),
    "CALLBACK": ("voice", "callback"),
    "CHAT": ("chat", "chat"),
    "EMAIL": ("email", "email"),
    "MESSAGE": ("messaging", "chat"),
}
MESSAGES = {"SMS": "sms", "WEBMESSAGING": "chat"} | dict.fromkeys(
    ("FACEBOOK", "INSTAGRAM", "TWITTER"), "social"
)
QUIET = frozenset(
    {"user.start", "user.end", "acw", "wrapup", "attributes", "outbound", "contact.update"}
    | {"flow.start", "flow.end", "voicemail.start", "voicemail.end", "acd.end"}
)
FAILURES = {"ERROR": "failed", "TRANSPORT_FAILURE": "failed", "TIMEOUT": "expired"} | {
    "UNCALLABLE": "failed",
    "SPAM": "spam",
}
_TOPIC = re.compile(r"v2\.detail\.events\.conversation\.[^.]{1,64}\.([a-z.]{1,40})")


class Genesys(Adapter):
    """Detail events of conversations of one organisation, sent on by an API destination."""

    provider = "genesys"
    scheme = API_KEY

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one event."""
        event = event_of(request)
        topic = _TOPIC.fullmatch(event.kind)
        if topic is None:
            raise Unparseable("detail-type: no conversation's detail event")
        kind, body = topic[1], object_at(event.detail, "eventBody")
        outcome = string_at(body, "acdOutcome")
        if kind in QUIET and outcome not in ("ANSWERED", "ABANDON"):
            return Parsed(ignored=(kind,))
        builder = Builder(account, received_at, ids, vouched=True)
        events, broken = each(
            [body], lambda b: [_translate(builder, kind, b, event.time)], lambda _: request.body
        )
        return Parsed(tuple(events), tuple(broken))


def _translate(
    builder: Builder, kind: str, body: dict[str, Any], bridged: datetime | None
) -> Event:
    conversation = string_at(body, "conversationId")
    if conversation is None:
        raise Broken("conversationId: missing")
    written = string_at(body, "eventTime")
    moment = from_unix(written) or from_iso(written) or bridged
    session = string_at(body, "sessionId") or ""
    own_id = clean(f"{conversation}/{session}/{kind}/{written or ''}")
    told = _interaction(builder, body, clean(conversation)) | {"occurred_at": moment}
    if kind in ("customer.start", "acd.start"):
        return builder.event(InteractionStarted, own_id, **told)
    if kind == "acd.end":
        waited = _seconds(body, "connectedDurationMs")
        if string_at(body, "acdOutcome") == "ABANDON":
            ending = {"reason": "abandoned", "wait_seconds": waited}
            return builder.event(InteractionEnded, own_id, **{**told, **ending})
        agent = {"agent_id": string_at(body, "answeredUserId")}
        return builder.event(InteractionAnswered, own_id, **{**told, **agent})
    if kind == "customer.end":
        reason = FAILURES.get(string_at(body, "disconnectType") or "", "completed")
        talked = {"reason": reason, "talk_seconds": _seconds(body, "interactingDurationMs")}
        return builder.event(InteractionEnded, own_id, **{**told, **talked})
    for name in ("interaction_id", "direction", "kind", "queue"):
        del told[name]
    return builder.event(
        ContactUnrecognised, own_id, **{**told, "kind": kind, "raw": kept_whole(body)}
    )


def _interaction(builder: Builder, body: dict[str, Any], conversation: str) -> dict[str, Any]:
    medium = string_at(body, "mediaType") or ""
    channel, kind = MEDIA.get(medium, ("unknown", "unknown"))
    if medium == "MESSAGE":
        channel = MESSAGES.get(string_at(body, "messageType") or "", channel)
    outbound = string_at(body, "direction") == "OUTBOUND"
    address = string_at(body, "dnis" if outbound else "ani")
    address = address or string_at(body, "addressTo" if outbound else "addressFrom")
    points = [_point(builder.account.name, channel, address)] if address else []
    if external := string_at(body, "externalContactId"):
        points.append(contact_point("genesys-contact", f"{builder.account.name}/{clean(external)}"))
    own = contact_point("genesys", f"{builder.account.name}/{conversation}")
    return {
        "conversation": ("conversation", conversation),
        "channel": channel,
        "contact_points": tuple(points) or (own,),
        "display_name": short(string_at(body, "callbackUserName")),
        "interaction_id": conversation,
        "direction": "outbound" if outbound else "inbound",
        "kind": kind,
        "queue": short(string_at(body, "queueId")),
    }


def _point(account: str, channel: str, address: str) -> str:
    """Return `tel:` for a number in full; any other address stays within this channel account."""
    scheme, _, value = clean(address).rpartition(":")
    if number := telephone(value if scheme in ("", "tel") else None):
        return number
    return contact_point(scheme if scheme.isalpha() else channel, f"genesys-{account}/{value}")


def _seconds(body: dict[str, Any], name: str) -> float | None:
    found = value_at(body, name)
    usable = isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < 2**53
    return found / 1000 if usable else None
