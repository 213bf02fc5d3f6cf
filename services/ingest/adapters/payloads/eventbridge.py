"""Amazon EventBridge, as Amazon Connect and Genesys Cloud use it: its envelope and its key.

Sources: Amazon's pages "API destinations" and "Connections for HTTP endpoint targets". A connection
of type *API key* sends the key in a header whose name the operator chooses; we want `x-api-key`,
which is kept out of dead letters. The key proves the sender, not the body, and no time is signed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import from_iso, json_object
from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.request import RawRequest
from services.ingest.adapters.schemes.base import Token
from services.ingest.domain.json_fields import object_at, string_at
from shared.contact_points import InvalidContactPoint, contact_point

API_KEY = Token(header="x-api-key", secret="api_key")


@dataclass(frozen=True, slots=True)
class BridgeEvent:
    """One event: its kind, what it tells, and when EventBridge says it happened."""

    kind: str
    detail: dict[str, Any]
    time: datetime | None


def event_of(request: RawRequest) -> BridgeEvent:
    """Return the event of a request; raise `Unparseable` for what is no EventBridge envelope."""
    body = json_object(request.body)
    kind, detail = string_at(body, "detail-type"), object_at(body, "detail")
    if kind is None or not detail:
        raise Unparseable("detail: missing")
    return BridgeEvent(kind, detail, from_iso(string_at(body, "time")))


def telephone(address: str | None) -> str | None:
    """Return the contact point of a number written in full (`+…`), or None for anything else."""
    if not address or not address.startswith("+"):
        return None
    try:
        return contact_point("tel", address)
    except InvalidContactPoint:
        return None
