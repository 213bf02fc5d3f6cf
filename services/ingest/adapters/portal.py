"""The self-service portal and its bot: what customers found out alone, and when they could not.

Our own format (docs/channels/portal.md), signed with Standard Webhooks by the portal's backend. A
customer is logged in there, so the addresses the portal names are one person's on its word.
"""

import json
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, each, from_iso, json_object
from services.ingest.adapters.contract import Adapter, Broken, Parsed, Unparseable
from services.ingest.adapters.payloads.own_formats import language, usable_point
from services.ingest.adapters.payloads.portal_content import KINDS, text_at, unknown
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.standard_webhooks import STANDARD_WEBHOOKS
from services.ingest.domain import limits
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import clean, short
from shared.contact_points import contact_point
from shared.events import Event
from shared.events.contact import ContactUnrecognised
from shared.ids import KeyedIds

CHANNEL = "portal"
_ADDRESSES = {"email": "email", "phone": "tel"}


class Portal(Adapter):
    """One portal; its own clock counts."""

    provider = "portal"
    scheme = STANDARD_WEBHOOKS

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one event, or those in the list `events`."""
        body = json_object(request.body)
        parts = body["events"] if isinstance(body.get("events"), list) else [body]
        if not 1 <= len(parts) <= limits.BATCH:
            raise Unparseable(f"events: not 1 to {limits.BATCH}")
        builder = Builder(account, received_at, ids, vouched=True)
        events, broken = each(parts, lambda part: [_event(builder, part)], _alone)
        return Parsed(tuple(events), tuple(broken))


def _alone(part: Any) -> bytes:
    return json.dumps({"events": [part]}).encode()


def _event(builder: Builder, part: Any) -> Event:
    own_id, kind = text_at(part, "id"), string_at(part, "type")
    if own_id is None or kind is None:
        raise Broken("id, type: missing")
    event_type, content = KINDS.get(kind, (ContactUnrecognised, unknown))
    run, customer = text_at(part, "run"), object_at(part, "customer")
    points = _contact_points(builder.account, customer, run)
    return builder.event(
        event_type,
        own_id,
        conversation=("thread", text_at(part, "thread") or run or points[0]),
        channel=CHANNEL,
        occurred_at=from_iso(string_at(part, "at")),
        contact_points=points,
        display_name=short(string_at(customer, "name")),
        locale=language(string_at(customer, "locale")),
        reply_to=text_at(part, "thread") or run,
        **content(part),
    )


def _contact_points(
    account: ChannelAccount, customer: dict[str, Any], run: str | None
) -> tuple[str, ...]:
    """Return the login first; without one, the run alone: a visitor nobody knows."""
    login = string_at(customer, "id")
    if login is None:
        if run is None:
            raise Broken("customer.id, run: missing")
        return (contact_point("portal", f"{account.name}/run/{run}"),)
    known = (usable_point(_ADDRESSES[name], string_at(customer, name)) for name in _ADDRESSES)
    points = (contact_point("portal", f"{account.name}/{clean(login)}"), *filter(None, known))
    return tuple(dict.fromkeys(points))
