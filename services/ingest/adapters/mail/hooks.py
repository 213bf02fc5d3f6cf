"""What mail providers have in common: envelopes, files kept elsewhere, news of our mail."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder
from services.ingest.adapters.contract import Broken, Parsed
from services.ingest.adapters.email import is_for
from services.ingest.adapters.mail.headers import email_point
from services.ingest.adapters.mail.translation import CHANNEL, MailEnvelope
from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.mail_thread import conversation_of_message_id
from services.ingest.domain.text import clean, short
from shared.events import Event
from shared.events.contact import ContactUnrecognised, DeliveryChanged
from shared.events.contact_data import Attachment

CONVERSATION = "throughline-conversation"
"""What we call the conversation in the data a provider keeps with a mail of ours."""
_MESSAGE_ID = 256  # characters, as the event model allows


def envelope_of(
    account: ChannelAccount, sender: str | None, recipients: Iterable[str]
) -> MailEnvelope:
    """Return the envelope with those recipients that are this mailbox; all, where none is."""
    given = tuple(clean(recipient).strip() for recipient in recipients if recipient.strip())
    ours = tuple(recipient for recipient in given if is_for(account, recipient))
    return MailEnvelope(None if sender is None else clean(sender).strip(), ours or given)


def with_files(parsed: Parsed, files: Iterable[Mapping[str, Any]]) -> Parsed:
    """Return the message with files that are kept elsewhere, each given as an attachment."""
    added = tuple(Attachment.model_validate(file) for file in files)
    if not added or not parsed.events:
        return parsed
    message, *others = parsed.events
    data = message.data  # type: ignore[attr-defined]  # the message comes first, always
    told = data.model_copy(update={"attachments": (*data.attachments, *added)})
    return replace(parsed, events=(message.model_copy(update={"data": told}), *others))


def news(
    builder: Builder,
    own_id: str,
    *,
    message_id: str | None,
    recipient: str | None,
    status: str | None,
    kind: str,
    reason: str | None,
    occurred_at: datetime | None,
    raw: dict[str, Any] | None,
    conversation_id: str | None = None,
) -> Event:
    """Build the event of what became of a mail of ours; `status` is None where it is no receipt.

    The conversation is the one we told the provider when we sent it (`conversation_id`), else the
    one that our Message-ID names, if it was for this recipient.
    """
    point = email_point(recipient or "")
    if point is None:
        raise Broken("recipient: missing")
    mail = clean(message_id or "").strip(" <>")[:_MESSAGE_ID]
    named = (conversation_id, conversation_of_message_id(mail, point, builder.ids))
    common: dict[str, Any] = {
        "conversation_id": next((one for one in named if one and builder.is_ours(one)), None),
        "conversation": (mail or point, point),
        "channel": CHANNEL,
        "occurred_at": occurred_at,
        "contact_points": (point,),
    }
    if status is None or not mail:
        return builder.event(
            ContactUnrecognised, own_id, **common, kind=short(kind) or "unknown", raw=raw
        )
    return builder.event(
        DeliveryChanged, own_id, **common, message_id=mail, status=status, reason=short(reason)
    )
