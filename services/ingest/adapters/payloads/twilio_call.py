"""Which call a callback of Twilio's is about, who the customer is, and what is not said of them.

Sources: Twilio's pages "Voice webhooks" (`ParentCallSid`, `Direction`) and "Handling withheld
caller ids" (numbers that spell a word).
"""

from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from services.ingest.adapters.building import Builder, from_http_date, seconds_of
from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.payloads.twilio_form import Fields, fields_of, point_of, rest_of
from services.ingest.adapters.request import RawRequest
from services.ingest.domain.text import clean, short
from services.ingest.domain.urlencoded import UnreadableForm, form_pairs
from shared.events import Event
from shared.events.contact import InteractionRecorded

WITHHELD = frozenset(
    {"anonymous", "restricted", "unavailable", "unknown", "blocked", "private"}
    | {"+266696687", "+7378742833", "+86282452253", "+8656696", "+2562533"}  # the same, as dialled
)
MAPPED = frozenset(
    {"AccountSid", "ApiVersion", "CallSid", "ParentCallSid", "From", "To", "Caller", "Called"}
    | {"CallStatus", "Direction", "Timestamp", "SequenceNumber", "CallbackSource", "CallDuration"}
    | {"Duration", "CallerName", "RecordingUrl", "RecordingSid", "RecordingDuration", "customer"}
    | {"RecordingStatus", "Digits", "SpeechResult", "menu", "ConferenceSid", "FriendlyName"}
    | {"StatusCallbackEvent", "QueueTime", "QueueResult", "ParticipantLabel"}
)


def fields_with_query(request: RawRequest) -> Fields:
    """Return the fields of a callback and of its address; `Unparseable` for what holds none."""
    try:
        query = form_pairs(request.query)
    except UnreadableForm:
        raise Unparseable("query: form") from None
    return {**{clean(name): clean(value) for name, value in query}, **fields_of(request)}


def redirect(url: str, fields: Fields) -> bytes:
    """Return the instruction to go on at `url`, with what was chosen in its query."""
    chosen = {name: fields[name] for name in ("Digits", "SpeechResult") if fields.get(name)}
    target = f"{url}{'&' if '?' in url else '?'}{urlencode(chosen)}" if chosen else url
    return f"<Response><Redirect>{escape(target)}</Redirect></Response>".encode()


def is_agents_leg(fields: Fields) -> bool:
    """Tell a leg that Twilio dialled for a call from the call with the customer."""
    to = fields.get("To")
    return bool(fields.get("ParentCallSid")) and not (to and fields.get("customer") == to)


def call_of(fields: Fields) -> str:
    """Return the id of the call with the customer."""
    return fields["ParentCallSid"] if is_agents_leg(fields) else fields["CallSid"]


def direction_of(fields: Fields) -> str:
    """Return who called whom."""
    outbound = fields.get("Direction", "inbound").startswith("outbound")
    return "outbound" if outbound and not is_agents_leg(fields) else "inbound"


def interaction(builder: Builder, fields: Fields) -> dict[str, Any]:
    """Return what every event of a call tells."""
    call, number = call_of(fields), _number(fields)
    scheme, separator, value = number.partition(":")
    if not number:
        point = point_of(builder.account.name, "call", call)
    elif separator:
        point = point_of(builder.account.name, scheme, value)
    else:
        point = point_of(builder.account.name, "call", number)
    return {
        "conversation": ("call", call),
        "channel": "voice",
        "occurred_at": from_http_date(fields.get("Timestamp")),
        "contact_points": (point,),
        "display_name": short(fields.get("CallerName")),
        "reply_to": number or None,
        "interaction_id": call,
        "raw": rest_of(fields, MAPPED),
    }


def recorded(builder: Builder, fields: Fields) -> list[Event]:
    """Return that a recording can be fetched; one that began, is absent or failed is nothing."""
    if fields["RecordingStatus"] != "completed" or not fields.get("RecordingUrl"):
        return []
    recording = {
        "reference": fields["RecordingUrl"][:2048],
        "media_type": "audio/x-wav",
        "name": short(fields.get("RecordingSid")),
    }
    own_id = f"{fields['CallSid']}/recording/{fields.get('RecordingSid', '')}"
    told = {**interaction(builder, fields), "recording": recording}
    told["duration_seconds"] = seconds_of(fields.get("RecordingDuration"))
    return [builder.event(InteractionRecorded, own_id, **told)]


def _number(fields: Fields) -> str:
    """Return the customer's address, empty if it is withheld or this callback names nobody."""
    named = fields.get("customer", "")
    if not named and not is_agents_leg(fields):
        named = fields.get("To" if direction_of(fields) == "outbound" else "From", "")
    return "" if named.strip().lower() in WITHHELD else named.strip()
