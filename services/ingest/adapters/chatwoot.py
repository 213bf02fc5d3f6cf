"""Chatwoot: messages of every inbox of one Chatwoot account, as its webhooks tell them.

Sources: Chatwoot's pages "Webhook events" and "How to use webhooks", its source
(`message.rb`, `webhook_listener.rb`) and pull request #13573 (signatures, since 4.11).
"""

from collections.abc import Iterable
from typing import Any

from services.ingest.adapters.building import Builder
from services.ingest.adapters.contract import Adapter, Broken, Unparseable
from services.ingest.adapters.payloads.chatwoot_message import customer, files_of, moment, where
from services.ingest.adapters.payloads.helpdesks import (
    Helpdesk,
    answer,
    common,
    form,
    message,
    unrecognised,
)
from services.ingest.adapters.payloads.json_parts import Ignored, Translation
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.base import Hmac
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.text import clean, cut
from shared.events import Event
from shared.events.contact import DeliveryChanged, MessageDeleted

SENDERS = {"user": "agent", "agent_bot": "bot", "captain_assistant": "bot"}
STATUSES = frozenset({"sent", "delivered", "read", "failed"})
IGNORED = frozenset(
    {
        *("contact_created", "contact_updated", "inbox_created", "inbox_updated"),
        *("conversation_created", "conversation_updated", "conversation_status_changed"),
        *("conversation_typing_on", "conversation_typing_off", "webwidget_triggered"),
    }
)
INCOMING = frozenset({"incoming", "0"})
OUTGOING = frozenset({"outgoing", "template", "1", "3"})


def _signed(request: RawRequest, _account: ChannelAccount, time: str) -> Iterable[bytes]:
    return (time.encode() + b"." + request.body,)


class Chatwoot(Helpdesk, Adapter):
    """Chatwoot's account webhooks, signed since 4.11; Chatwoot vouches for the times."""

    provider = "chatwoot"
    scheme = Hmac(
        header="x-chatwoot-signature",
        secret="webhook_secret",
        prefix="sha256=",
        signed=_signed,
        time_header="x-chatwoot-timestamp",
    )

    def translate(self, builder: Builder, part: dict[str, Any]) -> Translation:
        """Return what one event means."""
        named = string_at(part, "event")
        if named is None:
            raise Unparseable("event: missing")
        if named in IGNORED:
            raise Ignored(named)
        if part.get("private") is True:
            raise Ignored("a private note")
        if named == "message_created":
            return [_message(builder, part)]
        return [_updated(builder, part) if named == "message_updated" else _unknown(builder, part)]


def _message(builder: Builder, event: dict[str, Any]) -> Event:
    direction = string_at(event, "message_type") or ""
    if direction not in INCOMING | OUTGOING:
        raise Ignored("activity")  # assigned, resolved, labelled
    told = object_at(event, "sender")
    sender = None
    if direction in OUTGOING:
        sender = SENDERS.get(string_at(told, "type") or "", "system")
    return message(
        builder,
        string_at(event, "id"),
        customer(event),
        sender=sender,
        agent_id=string_at(told, "id") if sender == "agent" else None,
        text=string_at(event, "content"),
        files=files_of(event),
        in_reply_to=string_at(event, "content_attributes", "in_reply_to"),
        **where(event, moment(event, "created_at")),
    )


def _updated(builder: Builder, event: dict[str, Any]) -> Event:
    """Return what became of a message: taken back, answered, further on its way."""
    attributes = object_at(event, "content_attributes")
    message_id = clean(string_at(event, "id") or "")
    if not message_id:
        raise Broken("id: missing")
    given = {**common(customer(event)), **where(event, moment(event, "updated_at"))}
    own_id = f"message/{message_id}"
    if attributes.get("deleted") is True:
        return builder.event(MessageDeleted, f"{own_id}/deleted", **given, message_id=message_id)
    if answers := list_at(attributes, "submitted_values"):
        return _answered(builder, event, f"{own_id}/submitted", answers)
    status = string_at(event, "status")
    if status in STATUSES and string_at(event, "message_type") in OUTGOING:
        reason = cut(string_at(attributes, "external_error") or "", 1000)[0] or None
        return builder.event(
            DeliveryChanged, f"{own_id}/{status}", **given,
            message_id=message_id, status=status, reason=reason,
        )  # fmt: skip
    raise Ignored("message_updated")


def _answered(builder: Builder, event: dict[str, Any], own_id: str, answers: list[Any]) -> Event:
    pairs = [answer(each) if string_at(each, "name") else answer(each, "title") for each in answers]
    name = clean(string_at(event, "content_type") or "form")[:255]
    given = where(event, moment(event, "updated_at"))
    return form(builder, own_id, customer(event), name, pairs, **given)


def _unknown(builder: Builder, event: dict[str, Any]) -> Event:
    own_id, named = string_at(event, "id"), string_at(event, "event") or ""
    given = where(event, moment(event, "updated_at"))
    return unrecognised(builder, own_id, customer(event), named, event, **given)
