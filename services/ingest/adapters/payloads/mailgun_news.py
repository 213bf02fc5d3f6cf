"""What Mailgun tells of our own mail. Source: Mailgun's page "Event structure"."""

from typing import Any

from services.ingest.adapters.building import Builder, each, from_unix, json_object, kept_whole
from services.ingest.adapters.contract import Broken, Parsed, Unparseable
from services.ingest.adapters.mail.hooks import CONVERSATION, news
from services.ingest.adapters.request import RawRequest
from services.ingest.domain.json_fields import object_at, string_at, value_at
from services.ingest.domain.text import clean
from shared.events import Event

STATUSES = {
    "accepted": "queued",
    "stored": "queued",
    "delivered": "delivered",
    "failed": "failed",
    "rejected": "failed",
    "opened": "read",
}


def news_of(request: RawRequest, builder: Builder) -> Parsed:
    """Translate one event of a mail of ours."""
    told = object_at(json_object(request.body), "event-data")
    if not told:
        raise Unparseable("event-data: missing")
    events, broken = each([told], lambda part: [_event(builder, part)], lambda _: request.body)
    return Parsed(tuple(events), tuple(broken))


def _event(builder: Builder, told: dict[str, Any]) -> Event:
    own_id, kind = string_at(told, "id"), string_at(told, "event")
    if own_id is None or kind is None:
        raise Broken("id, event: missing")
    status = STATUSES.get(kind)
    if status == "failed" and string_at(told, "severity") == "temporary":
        status = "queued"
    reasons = [("delivery-status", "description"), ("delivery-status", "message"), ("reason",)]
    moment = value_at(told, "timestamp")
    return news(
        builder,
        clean(own_id),
        message_id=string_at(told, "message", "headers", "message-id"),
        recipient=string_at(told, "recipient"),
        status=status,
        kind=kind,
        reason=next(filter(None, (string_at(told, *path) for path in reasons)), None),
        occurred_at=from_unix(str(int(moment))) if isinstance(moment, (int, float)) else None,
        raw=None if status else kept_whole(told),
        conversation_id=string_at(told, "user-variables", CONVERSATION),
    )
