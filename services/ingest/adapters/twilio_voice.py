"""Twilio's calls: how they go, who holds, what was recorded, what was chosen in a menu.

Sources: Twilio's pages "Voice webhooks", "Call status callbacks", "<Gather>", "<Enqueue>",
"Conference status callback" and "Recording status callback".

A call is a conversation of its own, because callbacks of conferences and recordings name the call
and nobody. Who it is with may stand in the callback's own address (`?customer=%2B386…`: the query
is signed). A leg to an agent (`ParentCallSid`) tells when the customer's call was answered.
"""

import hashlib
from datetime import datetime

from services.ingest.adapters.building import Builder, each, kept_whole, seconds_of
from services.ingest.adapters.contract import Adapter, Parsed, Unparseable
from services.ingest.adapters.payloads.twilio_call import (
    call_of,
    direction_of,
    fields_with_query,
    interaction,
    is_agents_leg,
    recorded,
    redirect,
)
from services.ingest.adapters.payloads.twilio_form import MEDIA_TYPES, Fields
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.twilio import TWILIO
from services.ingest.domain.text import short
from shared.events import Event
from shared.events.contact import (
    ChoiceMade,
    ContactUnrecognised,
    InteractionAnswered,
    InteractionEnded,
    InteractionHeld,
    InteractionResumed,
    InteractionStarted,
)
from shared.ids import KeyedIds

HOLDS = {"participant-hold": InteractionHeld, "participant-unhold": InteractionResumed}
QUIET = frozenset({"queued", "initiated"})
ENDS = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})


class TwilioVoice(Adapter):
    """Twilio's voice webhooks; a caller who waits for instructions goes on to `continue_url`."""

    provider = "twilio-voice"
    media_types = MEDIA_TYPES
    scheme = TWILIO
    options = frozenset({"public_url"})
    optional = frozenset({"continue_url", "customer_label"})
    answer = ("text/xml", b"<Response/>")

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one callback."""
        fields = fields_with_query(request)
        if not fields.get("CallSid"):
            raise Unparseable("CallSid: missing")
        builder = Builder(account, received_at, ids, vouched=True)
        events, broken = each([fields], lambda f: _translate(builder, f), lambda _: request.body)
        ignored = (
            () if events or broken else ("agent-leg" if is_agents_leg(fields) else "progress",)
        )
        return Parsed(tuple(events), tuple(broken), ignored)

    def reply(self, request: RawRequest, account: ChannelAccount) -> tuple[str, bytes]:
        """Send a caller who waits for instructions on, with what was chosen in the query."""
        url = account.options.get("continue_url")
        try:
            fields = fields_with_query(request)
        except Unparseable:
            return self.answer
        if url is None or "SequenceNumber" in fields or "CallStatus" not in fields:
            return self.answer
        return self.answer[0], redirect(url, fields)


def _translate(builder: Builder, fields: Fields) -> list[Event]:
    if "StatusCallbackEvent" in fields:
        return _hold(builder, fields)
    if "RecordingStatus" in fields:
        return recorded(builder, fields)
    if choice := short(fields.get("Digits") or fields.get("SpeechResult")):
        menu = short(fields.get("menu")) or "menu"
        own_id = f"{call_of(fields)}/choice/{_digest(menu, choice)}"
        told = {**interaction(builder, fields), "menu": menu, "choice": choice}
        return [builder.event(ChoiceMade, own_id, **told)]
    return _status(builder, fields)


def _status(builder: Builder, fields: Fields) -> list[Event]:
    status, sequence = fields.get("CallStatus", ""), fields.get("SequenceNumber", "")
    told = {**interaction(builder, fields), "direction": direction_of(fields)}
    own_id = f"{fields['CallSid']}/{status}/{sequence}"
    if fields.get("QueueResult") == "hangup":
        told |= {"reason": "abandoned", "wait_seconds": seconds_of(fields.get("QueueTime"))}
        return [builder.event(InteractionEnded, f"{fields['CallSid']}/queue", **told)]
    if status == "in-progress" and (sequence or is_agents_leg(fields)):
        carrier, _, name = fields.get("To", "").partition(":")
        told["agent_id"] = name if carrier == "client" and is_agents_leg(fields) else None
        return [builder.event(InteractionAnswered, own_id, **told)]
    if is_agents_leg(fields) or status in QUIET or status == "in-progress":
        return []
    if status == "ringing":
        return [builder.event(InteractionStarted, own_id, **told)]
    if status in ENDS:
        gone = status == "canceled" and told["direction"] == "inbound"
        told["reason"] = "abandoned" if gone else status
        told["talk_seconds"] = seconds_of(fields.get("CallDuration"))
        return [builder.event(InteractionEnded, own_id, **told)]
    told = {
        **interaction(builder, fields),
        "raw": kept_whole({**fields}),
        "kind": short(status) or "unknown",
    }
    del told["interaction_id"]
    return [builder.event(ContactUnrecognised, own_id, **told)]


def _hold(builder: Builder, fields: Fields) -> list[Event]:
    """Return the customer's hold; an agent's hold and other news of a conference are ignored."""
    event = HOLDS.get(fields["StatusCallbackEvent"])
    customer = builder.account.options.get("customer_label", "customer")
    if event is None or fields.get("ParticipantLabel", customer) != customer:
        return []
    own_id = (
        f"{fields['CallSid']}/{fields['StatusCallbackEvent']}/{fields.get('SequenceNumber', '')}"
    )
    return [builder.event(event, own_id, **interaction(builder, fields))]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
