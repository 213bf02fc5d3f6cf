"""How far our WhatsApp messages got, and calls over WhatsApp.

Sources: Meta's pages "Status messages webhook" and "Cloud API Calling". A customer's call is told
when it begins (`connect`) and when it is over (`terminate`); that one of our own was taken comes
as a status. A call that is told as rejected and as terminated gives one event.
"""

from typing import Any

from services.ingest.adapters.building import Builder, kept_whole
from services.ingest.adapters.payloads.json_parts import Ignored, Translation, required
from services.ingest.adapters.payloads.whatsapp_customer import (
    Customer,
    common_of,
    recipient_of,
    sender_of,
)
from services.ingest.adapters.payloads.whatsapp_parts import Part
from services.ingest.domain.json_fields import list_at, string_at, value_at
from services.ingest.domain.text import short
from shared.events.contact import (
    DeliveryChanged,
    InteractionAnswered,
    InteractionEnded,
    InteractionStarted,
)

STATUSES = {name: name for name in ("sent", "delivered", "read", "failed")} | {"played": "read"}
ENDINGS = {"COMPLETED": "completed", "FAILED": "failed", "REJECTED": "rejected"}


def status(builder: Builder, part: Part) -> Translation:
    """Return how far one message of ours got, or one call."""
    if string_at(part.body, "type") == "call":
        return _call_status(builder, part)
    message_id, named = required(part.body, "id"), string_at(part.body, "status") or "unknown"
    errors = list_at(part.body, "errors")
    reasons = (string_at(errors[0], "code"), string_at(errors[0], "title")) if errors else ()
    keep = errors or named not in STATUSES or value_at(part.body, "conversation")
    return [
        builder.event(
            DeliveryChanged,
            f"{message_id}/{named}",
            **common_of(builder, part, recipient_of(part, "recipient_id")),
            message_id=message_id,
            status=STATUSES.get(named, "unknown"),
            reason=short(" ".join(reason for reason in reasons if reason)),
            raw=kept_whole(part.body) if keep else None,
        )
    ]


def _call_status(builder: Builder, part: Part) -> Translation:
    call_id, named = required(part.body, "id"), string_at(part.body, "status")
    told = _call(builder, part, recipient_of(part, "recipient_id"), "outbound")
    if named == "ACCEPTED":
        return [builder.event(InteractionAnswered, f"{call_id}/answered", **told)]
    if named == "REJECTED":
        return [builder.event(InteractionEnded, f"{call_id}/ended", **told, reason="rejected")]
    raise Ignored("call ringing")


def call(builder: Builder, part: Part) -> Translation:
    """Return that a call began or is over."""
    call_id, event = required(part.body, "id"), string_at(part.body, "event")
    outbound = _is_ours(part)
    customer = recipient_of(part) if outbound else sender_of(part)
    told = _call(builder, part, customer, "outbound" if outbound else "inbound")
    if event == "connect":
        return [builder.event(InteractionStarted, f"{call_id}/started", **told)]
    if event != "terminate":
        raise Ignored("call event of another kind")
    duration = value_at(part.body, "duration")
    talked = duration if isinstance(duration, int) and duration >= 0 else None
    reason = ENDINGS.get((string_at(part.body, "status") or "COMPLETED").upper(), "unknown")
    if reason == "completed" and not talked and not outbound:
        reason = "abandoned"
    return [
        builder.event(
            InteractionEnded,
            f"{call_id}/ended",
            **told,
            reason=reason,
            talk_seconds=talked,
            raw=kept_whole(part.body),
        )
    ]


def _is_ours(part: Part) -> bool:
    """Tell whether we called: by the direction, or by who is named as the caller."""
    direction = string_at(part.body, "direction")
    if direction is not None:
        return direction == "BUSINESS_INITIATED"
    ours = string_at(part.value, "metadata", "display_phone_number")
    return ours is not None and string_at(part.body, "from") == ours.lstrip("+")


def _call(builder: Builder, part: Part, customer: Customer, direction: str) -> dict[str, Any]:
    common = common_of(builder, part, customer)
    return {
        **common,
        "conversation": (*common["conversation"], "call"),
        "channel": "voice",
        "interaction_id": required(part.body, "id"),
        "direction": direction,
    }
