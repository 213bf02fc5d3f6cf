"""WhatsApp Cloud API (Meta): messages, calls, how far ours got, and changes of a customer's ids.

Sources: Meta's pages "Webhooks", "Messages webhook reference" and "Business-scoped user IDs".

A customer has a business-scoped user id (BSUID), unique within one business portfolio, and may
hide the telephone number, so one customer comes now with a number and now without. The BSUID
names the conversation where there is one, then the parent BSUID, then the number. Limit: a
customer who was only ever known by number starts another conversation when the BSUID first shows
(and a new number means a new BSUID); the contact points tell `profile` it is the same person.
"""

from collections.abc import Callable
from datetime import datetime

from services.ingest.adapters.building import Builder, json_object, kept_whole, room_for_parts
from services.ingest.adapters.contract import Broken, Parsed, Unparseable
from services.ingest.adapters.payloads.json_parts import (
    Translation,
    fingerprint,
    message_event,
    required,
    translated,
)
from services.ingest.adapters.payloads.meta import MetaHook, window_after
from services.ingest.adapters.payloads.whatsapp_changes import (
    correction,
    reaction,
    system_changes,
    updated_ids,
)
from services.ingest.adapters.payloads.whatsapp_content import KINDS, attachments_of, text_of
from services.ingest.adapters.payloads.whatsapp_customer import (
    common_of,
    customer_of,
    recipient_of,
    sender_of,
)
from services.ingest.adapters.payloads.whatsapp_parts import Part, split
from services.ingest.adapters.payloads.whatsapp_progress import call, status
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain.json_fields import string_at
from services.ingest.domain.text import short
from shared.events.contact import ContactUnrecognised
from shared.ids import KeyedIds


class WhatsApp(MetaHook):
    """Meta's WhatsApp Cloud API; Meta vouches for the times."""

    provider = "whatsapp"
    options = frozenset({"portfolio"})
    optional = frozenset({"phone_number_id"})

    def parse(
        self, request: RawRequest, account: ChannelAccount, received_at: datetime, ids: KeyedIds
    ) -> Parsed:
        """Translate one notification, which may hold many messages and statuses."""
        payload = json_object(request.body, self.max_keys)
        if string_at(payload, "object") != "whatsapp_business_account":
            raise Unparseable("object: not whatsapp_business_account")
        parts, ignored = split(payload)
        if not parts and not ignored:
            raise Unparseable("entry: nothing in it")
        builder = Builder(account, received_at, ids, vouched=True)
        parsed = translated(
            parts,
            lambda part: _translate(builder, part),
            Part.as_payload,
            room_for_parts(request.body),
        )
        return Parsed(parsed.events, parsed.broken, (*ignored, *parsed.ignored))


def _translate(builder: Builder, part: Part) -> Translation:
    ours = builder.account.options.get("phone_number_id")
    if ours and string_at(part.value, "metadata", "phone_number_id") not in (ours, None):
        raise Broken("metadata.phone_number_id: another number's")
    return TRANSLATORS.get(part.kind, _other)(builder, part)


def _message(builder: Builder, part: Part) -> Translation:
    message, own_id = part.body, required(part.body, "id")
    kind = string_at(message, "type") or "unknown"
    if kind == "system" and (changes := system_changes(builder, part, own_id)):
        return changes
    echo = part.kind == "message_echoes"
    customer = recipient_of(part) if echo else sender_of(part)
    original = string_at(message, kind, "original_message_id")
    if kind in ("edit", "revoke") and original:
        return [correction(builder, part, own_id, original, customer)]
    reacted = string_at(message, "reaction", "message_id")
    if kind == "reaction" and reacted and not echo:
        return [reaction(builder, part, own_id, reacted, customer)]
    common = common_of(builder, part, customer)
    if not echo and kind != "system":
        common["window_closes_at"] = window_after(common["occurred_at"])
    return [
        message_event(
            builder,
            own_id,
            text_of(message, kind),
            sent_by="agent" if echo else None,
            kind=KINDS.get(kind, "unknown"),
            attachments=attachments_of(message, kind),
            in_reply_to=reacted or string_at(message, "context", "id"),
            automatic=kind == "system",
            raw=None if kind == "text" and "referral" not in message else kept_whole(message),
            **common,
        )
    ]


def _other(builder: Builder, part: Part) -> Translation:
    """Return what has no word here, if it says whose it is."""
    phone = string_at(part.body, "wa_id")
    customer = customer_of(part, bsuid=string_at(part.body, "user_id"), parent=None, phone=phone)
    if customer.address() is None:
        raise Broken("field: not understood")
    own_id = f"{part.kind}/{fingerprint(part.body)}"
    common = common_of(builder, part, customer)
    named, raw = short(part.field), kept_whole(part.body)
    return [builder.event(ContactUnrecognised, own_id, **common, kind=named, raw=raw)]


def _updated(builder: Builder, part: Part) -> Translation:
    return updated_ids(builder, part) or _other(builder, part)


TRANSLATORS: dict[str, Callable[[Builder, Part], Translation]] = {
    "messages": _message,
    "message_echoes": _message,
    "statuses": status,
    "calls": call,
    "user_id_update": _updated,
}
