"""Vonage's older SMS API: its form, told in the words of the Messages API.

Sources: Vonage's pages "Inbound SMS" and "Delivery receipts". A long SMS comes in parts, each with
an id of its own; each becomes a message, with what joins them (`concat-ref`) kept in `raw`.
"""

from typing import Any

from services.ingest.adapters.contract import Unparseable
from services.ingest.domain.urlencoded import UnreadableForm, form_pairs

NAMES = {"messageId": "message_uuid", "client-ref": "client_ref", "text": "text"}
JOINING = ("concat", "concat-ref", "concat-total", "concat-part")
KINDS = {"text": "text", "unicode": "text"}


def modern(body: bytes) -> dict[str, Any]:
    """Return the message or status in the shape the Messages API gives it."""
    try:
        fields = dict(form_pairs(body))
    except UnreadableForm:
        raise Unparseable("body: form") from None
    found: dict[str, Any] = {new: fields[old] for old, new in NAMES.items() if old in fields}
    found |= {"channel": "sms", "timestamp": _moment(fields.get("message-timestamp", ""))}
    if "status" in fields:
        error = fields.get("err-code", "0").strip("0")
        return found | {
            "status": fields["status"],
            "to": fields.get("msisdn"),
            "from": fields.get("to"),
            "error": {"title": fields["err-code"]} if error else {},
        }
    joining = {name: fields[name] for name in JOINING if fields.get(name)}
    return found | {
        "message_type": KINDS.get(fields.get("type", "text"), fields.get("type")),
        "from": fields.get("msisdn"),
        "to": fields.get("to"),
        **joining,
    }


def _moment(written: str) -> str:
    """Return `2026-11-03 09:10:00`, which is in UTC, as RFC 3339 writes it."""
    return f"{written.strip().replace(' ', 'T')}+00:00"
