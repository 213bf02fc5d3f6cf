"""What Amazon SES tells of our own mail: delivered, delayed, bounced, complained about.

Source: Amazon's pages "Amazon SNS notification contents for Amazon SES" and "Contents of event
data that Amazon SES publishes to Amazon SNS".
"""

from collections.abc import Iterable
from typing import Any

from services.ingest.adapters.building import Builder, each, from_iso, kept_whole
from services.ingest.adapters.contract import BrokenPart, Parsed
from services.ingest.adapters.mail.hooks import CONVERSATION, news
from services.ingest.adapters.request import RawRequest
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.text import clean
from shared.events import Event

STATUSES = {
    "Send": "sent",
    "Delivery": "delivered",
    "DeliveryDelay": "queued",
    "Bounce": "failed",
    "Reject": "failed",
    "Open": "read",
}
PEOPLE = {
    "Bounce": ("bounce", "bouncedRecipients"),
    "Complaint": ("complaint", "complainedRecipients"),
    "DeliveryDelay": ("deliveryDelay", "delayedRecipients"),
}
"""Where a notification lists its recipients as objects; elsewhere they are `mail.destination`."""
_RECIPIENTS_AT_MOST = 50  # Amazon takes no more for one mail


def news_of(request: RawRequest, told: Any, about: str, builder: Builder) -> Parsed:
    """Translate a notification about a mail of ours, one event for each recipient."""
    events, broken = each(
        enumerate(_people(told, about)[:_RECIPIENTS_AT_MOST], 1),
        lambda person: [_event(builder, told, about, person[0], *person[1])],
        lambda _: request.body,
    )
    if not events and not broken:
        broken = [BrokenPart(request.body, "recipients: missing")]
    return Parsed(tuple(events), tuple(broken))


def _people(told: Any, about: str) -> list[tuple[str, str | None]]:
    """Return the recipients a notification is about, with what their servers said."""
    if about not in PEOPLE:
        named: Iterable[Any] = list_at(told, "mail", "destination")
        return [(to, None) for to in named if isinstance(to, str)]
    listed = list_at(told, *PEOPLE[about])
    return [
        (string_at(item, "emailAddress") or "", string_at(item, "diagnosticCode"))
        for item in listed
    ]


def _event(
    builder: Builder, told: Any, about: str, number: int, recipient: str, said: str | None
) -> Event:
    mail = string_at(told, "mail", "messageId") or ""
    section = object_at(told, PEOPLE[about][0] if about in PEOPLE else about.lower())
    status = STATUSES.get(about)
    if about == "Bounce" and string_at(section, "bounceType") == "Transient":
        status = "queued"
    moment = string_at(section, "timestamp")
    return news(
        builder,
        clean(f"{about}/{mail}/{number}/{moment}")[:1_000],
        message_id=mail,
        recipient=recipient,
        status=status,
        kind=about,
        reason=said,
        occurred_at=from_iso(moment),
        raw=None if status else kept_whole(told),
        conversation_id=_tagged(told),
    )


def _tagged(told: Any) -> str | None:
    """Return the conversation that we gave as a tag; each tag has a list of values."""
    values = list_at(told, "mail", "tags", CONVERSATION)
    return next((value for value in values if isinstance(value, str)), None)
