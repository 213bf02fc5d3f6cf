"""WhatsApp Cloud API (Meta): messages, how far ours got, and changes of a customer's ids.

Sources: Meta's pages "Webhooks", "Messages webhook reference" and "Business-scoped user IDs".

A customer has a business-scoped user id (BSUID), unique within one business portfolio, and may
hide the telephone number, so one customer comes now with a number and now without. The BSUID
names the conversation where there is one, then the parent BSUID, then the number. Limit: a
customer who was only ever known by number starts another conversation when the BSUID first shows
(and a new number means a new BSUID); the contact points tell `profile` it is the same person.
"""

import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from services.ingest.adapters.building import Builder, each, from_unix
from services.ingest.adapters.contract import (
    Adapter,
    Broken,
    ChannelAccount,
    Parsed,
    RawRequest,
    SignatureRefused,
    Unparseable,
)
from services.ingest.adapters.schemes import Hmac
from services.ingest.adapters.whatsapp_content import KINDS, attachments_of, text_of
from services.ingest.adapters.whatsapp_customer import (
    Customer,
    Part,
    contact_of,
    customer_of,
    sender_of,
)
from services.ingest.domain import limits
from services.ingest.domain.json_fields import list_at, object_at, string_at
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.domain.text import clean, short
from shared.events import Event
from shared.events.contact import (
    ContactPointChanged,
    DeliveryChanged,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
)
from shared.ids import KeyedIds

STATUSES = {name: name for name in ("sent", "delivered", "read", "failed")} | {"played": "read"}
IGNORED_FIELDS = frozenset(
    {
        "account_alerts",
        "account_review_update",
        "account_update",
        "business_capability_update",
        "message_template_quality_update",
        "message_template_status_update",
        "phone_number_name_update",
        "phone_number_quality_update",
        "security",
        "template_category_update",
    }
)
CHANNEL = "messaging"


class WhatsApp(Adapter):
    """Meta's WhatsApp Cloud API; Meta vouches for the times."""

    provider = "whatsapp"
    max_body = limits.BODY_META
    scheme = Hmac(header="x-hub-signature-256", secret="app_secret", prefix="sha256=")
    more_secrets = frozenset({"verify_token"})
    options = frozenset({"portfolio"})
    optional = frozenset({"phone_number_id"})

    def challenge(self, query: str, account: ChannelAccount) -> bytes:
        """Echo `hub.challenge` if `hub.verify_token` is ours."""
        try:
            given = parse_qs(query, max_num_fields=20)
        except ValueError:
            raise SignatureRefused("malformed") from None
        token, challenge, mode = (
            given.get(f"hub.{name}", []) for name in ("verify_token", "challenge", "mode")
        )
        if not token or not challenge:
            raise SignatureRefused("missing")
        if len(token) > 1 or len(challenge) > 1:
            raise SignatureRefused("doubled")
        if mode != ["subscribe"] or len(challenge[0]) > limits.SIGNATURE_HEADER:
            raise SignatureRefused("malformed")
        sent = token[0].encode("utf-8", "replace")
        matches = [hmac.compare_digest(sent, ours) for ours in account.secrets["verify_token"]]
        if not any(matches):
            raise SignatureRefused("wrong")
        return challenge[0].encode("utf-8", "replace")

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one notification, which may hold many messages and statuses."""
        try:
            payload = parse_json(request.body)
        except Malformed:
            raise Unparseable("body: json") from None
        if string_at(payload, "object") != "whatsapp_business_account":
            raise Unparseable("object: not whatsapp_business_account")
        parts, ignored = _split(payload)
        builder = Builder(account, received_at, ids, vouched=True)
        events, broken = each(parts, _translator(builder), Part.as_payload)
        if not parts and not ignored:
            raise Unparseable("entry: nothing in it")
        return Parsed(tuple(events), tuple(broken), tuple(ignored))


def _split(payload: Any) -> tuple[list[Part], list[str]]:
    parts: list[Part] = []
    ignored: list[str] = []
    for entry in list_at(payload, "entry"):
        for change in list_at(entry, "changes"):
            field = string_at(change, "field") or "unknown"
            if field in IGNORED_FIELDS:
                ignored.append(field)
            else:
                parts.extend(_parts_of(field, object_at(change, "value")))
    return parts, ignored


def _parts_of(field: str, value: dict[str, Any]) -> Iterator[Part]:
    known = [
        Part(kind, body, value, field)
        for kind in ("messages", "statuses")
        for body in list_at(value, kind)
        if field == "messages"
    ]
    yield from known or [Part("unknown", value, {}, field)]


def _translator(builder: Builder) -> Callable[[Part], Iterable[Event]]:
    def translate(part: Part) -> Iterable[Event]:
        ours = builder.account.options.get("phone_number_id")
        if ours and string_at(part.value, "metadata", "phone_number_id") not in (ours, None):
            raise Broken("metadata.phone_number_id: another number's")
        if len(json.dumps(part.body)) > limits.PART:
            raise Broken("part: too large")
        if part.kind == "messages":
            return _message(builder, part)
        if part.kind == "statuses":
            return _status(builder, part)
        raise Broken("field: not understood")

    return translate


def _message(builder: Builder, part: Part) -> Iterable[Event]:
    message = part.body
    own_id = _required(message, "id")
    kind = string_at(message, "type") or "unknown"
    if kind == "system":
        changes = _changes(builder, part, own_id)
        if changes:
            return changes
    customer = sender_of(part)
    original = string_at(message, kind, "original_message_id")
    if kind in ("edit", "revoke") and original:
        return [_correction(builder, part, own_id, kind, original, customer)]
    text, truncated = text_of(message, kind)
    return [
        builder.event(
            MessageReceived,
            own_id,
            **_common(builder, part, customer),
            message_id=own_id,
            kind=KINDS.get(kind, "unknown"),
            text=text,
            truncated=truncated,
            attachments=attachments_of(message, kind),
            in_reply_to=string_at(message, "reaction", "message_id")
            or string_at(message, "context", "id"),
            automatic=kind == "system",
            raw=None if kind == "text" and "referral" not in message else _raw(message),
        )
    ]


def _correction(
    builder: Builder, part: Part, own_id: str, kind: str, original: str, customer: Customer
) -> Event:
    common = _common(builder, part, customer)
    if kind == "revoke":
        return builder.event(MessageDeleted, own_id, **common, message_id=original)
    message = object_at(part.body, "edit", "message")
    text, _ = text_of(message, string_at(message, "type") or "unknown")
    return builder.event(MessageEdited, own_id, **common, message_id=original, text=text)


def _changes(builder: Builder, part: Part, own_id: str) -> list[Event]:
    """Return how a customer's ids changed: the number, the BSUID, or both."""
    system = object_at(part.body, "system")
    sender = sender_of(part)
    before = Customer(
        bsuid=string_at(system, "previous_user_id"),
        parent=string_at(system, "previous_parent_user_id"),
        phone=sender.phone,
    )
    after = Customer(
        bsuid=string_at(system, "user_id"),
        parent=string_at(system, "parent_user_id"),
        phone=string_at(system, "wa_id") or string_at(system, "new_wa_id"),
    )
    portfolio = builder.account.options["portfolio"]
    if before.bsuid is None and sender.bsuid != after.bsuid:
        before = Customer(sender.bsuid, before.parent, before.phone)
    pairs = [
        (Customer(**{name: old}), Customer(**{name: new}), name)
        for name in ("bsuid", "parent", "phone")
        if (old := getattr(before, name)) and (new := getattr(after, name)) and old != new
    ]
    return [
        builder.event(
            ContactPointChanged,
            f"{own_id}/{name}",
            **{
                **_common(builder, part, before),
                "contact_points": after.contact_points(portfolio),
            },
            previous=old.contact_points(portfolio)[0],
            current=new.contact_points(portfolio)[0],
            raw=_raw(part.body),
        )
        for old, new, name in pairs
    ]


def _status(builder: Builder, part: Part) -> Iterable[Event]:
    status = part.body
    message_id = _required(status, "id")
    named = string_at(status, "status") or "unknown"
    recipient = customer_of(
        part,
        bsuid=string_at(status, "recipient_user_id"),
        parent=string_at(status, "recipient_parent_user_id"),
        phone=string_at(status, "recipient_id"),
    )
    errors = list_at(status, "errors")
    reasons = (string_at(errors[0], "code"), string_at(errors[0], "title")) if errors else ()
    return [
        builder.event(
            DeliveryChanged,
            f"{message_id}/{named}",
            **_common(builder, part, recipient),
            message_id=message_id,
            status=STATUSES.get(named, "unknown"),
            reason=short(" ".join(reason for reason in reasons if reason)),
            raw=None if named in STATUSES and not errors else _raw(status),
        )
    ]


def _common(builder: Builder, part: Part, customer: Customer) -> dict[str, Any]:
    contact = contact_of(part, customer)
    return {
        "thread": customer.thread(),
        "channel": CHANNEL,
        "occurred_at": from_unix(string_at(part.body, "timestamp")),
        "contact_points": customer.contact_points(builder.account.options["portfolio"]),
        "display_name": short(
            string_at(contact, "profile", "name")
            or string_at(contact, "profile", "username")
            or string_at(contact, "username")
        ),
    }


def _raw(part: dict[str, Any]) -> dict[str, Any]:
    """Return the part as it came, but encodable."""
    return json.loads(clean(json.dumps(part, ensure_ascii=False)))  # type: ignore[no-any-return]


def _required(part: Any, name: str) -> str:
    found = string_at(part, name)
    if found is None:
        raise Broken(f"{name}: missing")
    return clean(found)
