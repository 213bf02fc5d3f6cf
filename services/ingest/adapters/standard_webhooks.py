"""Standard Webhooks: the door for whoever can send signed webhooks but holds no API key.

The body is a CloudEvent in structured JSON, or what Standard Webhooks recommends (`type`,
`timestamp`, `data`); the `data` is that of our contact event. Both are judged exactly as the
events API judges them, and may name this channel account only.
"""

import hashlib
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import (
    Builder,
    each,
    from_iso,
    json_object,
    kept_whole,
    source_of,
)
from services.ingest.adapters.contract import Adapter, Broken, Parsed, Unparseable
from services.ingest.adapters.payloads.own_events import Stamp, translate
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.standard_webhooks import STANDARD_WEBHOOKS, own_id
from services.ingest.domain.channels import ApiKeyPolicy
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.text import clean, short
from shared.contact_points import parse_contact_point
from shared.events import Event
from shared.events.contact import CONTACT_EVENTS, ContactUnrecognised
from shared.events.customers import CustomerRecorded
from shared.ids import KeyedIds

TYPES = frozenset(kind.wire_type for kind in CONTACT_EVENTS)
UNKNOWN_CHANNEL = "messaging"


class StandardWebhooksHook(Adapter):
    """Any sender of Standard Webhooks 1.0.0 that speaks our contact events."""

    provider = "standard-webhooks"
    scheme = STANDARD_WEBHOOKS
    media_types = frozenset({"application/json", "application/cloudevents+json"})
    own_format = True

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one event; one of a type that is not ours and names nobody is ignored."""
        event = _as_cloud_event(request, account)
        if event["type"] in TYPES:
            key = _key(account)
            translated, errors = translate([event], Stamp(key, received_at, ids))
            if errors:
                raise Unparseable(f"{errors[0].code}: {errors[0].message}")
            return Parsed(tuple(translated))
        if event["type"] == CustomerRecorded.wire_type:
            raise Unparseable("customer.recorded: not by this door")
        if not list_at(event, "data", "contact_points"):
            return Parsed(ignored=("foreign-type",))
        builder = Builder(account, received_at, ids, vouched=True)
        events, broken = each(
            [event], lambda part: [_unrecognised(builder, part)], lambda _: request.body
        )
        return Parsed(tuple(events), tuple(broken))


def _as_cloud_event(request: RawRequest, account: ChannelAccount) -> dict[str, Any]:
    """Return the CloudEvent that a body is or stands for, its channel account filled in."""
    body = json_object(request.body)
    if not isinstance(body.get("type"), str) or not isinstance(body.get("data"), dict):
        raise Unparseable("type, data: missing")
    named = {"provider": account.provider, "channel_account": account.name}
    data = {**named, **object_at(body, "data")}
    if "specversion" in body:
        return {**body, "data": data}
    return {
        "specversion": "1.0",
        "id": own_id(request) or hashlib.blake2b(request.body, digest_size=16).hexdigest(),
        "source": source_of(account.provider, account.name),
        "type": body["type"],
        "time": body.get("timestamp"),
        "data": data,
    }


def _key(account: ChannelAccount) -> ApiKeyPolicy:
    """Return what the events API's rules ask for: this account only, its times trusted.

    So is its word on whose contact points are whose: each request is signed. An integrator's own
    name has no slash, so no two senders can ever share an id.
    """
    named = f"{account.provider}/{account.name}"
    return ApiKeyPolicy.model_construct(
        integrator=named,
        prefix="",
        sha256="",
        channel_accounts=(named,),
        customer_records=True,
        trusted_time=True,
    )


def _unrecognised(builder: Builder, event: dict[str, Any]) -> Event:
    data = object_at(event, "data")
    points = [clean(point) for point in list_at(data, "contact_points") if isinstance(point, str)]
    if not points:
        raise Broken("data.contact_points: no text")
    identity = string_at(event, "id")
    if identity is None:
        raise Broken("id: missing")
    return builder.event(
        ContactUnrecognised,
        clean(identity),
        conversation=(clean(string_at(data, "conversation_id") or points[0]),),
        channel=string_at(data, "channel") or UNKNOWN_CHANNEL,
        occurred_at=from_iso(string_at(event, "time")),
        contact_points=tuple(dict.fromkeys(map(parse_contact_point, points))),
        kind=short(string_at(event, "type")),
        raw=kept_whole(event),
    )
