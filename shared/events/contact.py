"""Contact events: what happened between a customer and us, on any channel, in one form.

Written by ingest to `contact-events`, keyed by conversation id.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from shared.events.envelope import ContactPoint, Event, Id, Record, Word

CHANNELS = ("voice", "email", "sms", "messaging", "social", "chat", "form", "portal")
"""The channels of this version; the list is open, a reader must not refuse another one."""

MAX_TEXT = 65_536  # characters; with UTF-8's worst case the payload stays below 256 KiB

Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
ShortText = Annotated[str, StringConstraints(max_length=1_000)]


class ContactData(Record):
    """What every contact event tells: where, with whom and when.

    `occurred_at` is the provider's claim (None when it made none), `received_at` our edge; the
    event's own `time` says which of the two counts. `contact_points` starts with the one used on
    this channel; the others are ones the provider itself says belong to the same person.
    `provider_event_id` is the provider's own id, for looking it up there. `raw` keeps what had no
    place in this model.
    """

    channel: Word
    provider: Word
    channel_account: Id
    conversation_id: Id
    contact_points: Annotated[tuple[ContactPoint, ...], Field(min_length=1, max_length=50)]
    display_name: ShortText | None = None
    occurred_at: AwareDatetime | None = None
    received_at: AwareDatetime
    provider_event_id: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
    raw: dict[str, Any] | None = None


class Attachment(Record):
    """A file that came with a message, by reference: never its bytes.

    `reference` is the provider's id or address, or our own `blob:` id; `size` is in bytes.
    """

    reference: Annotated[str, StringConstraints(min_length=1, max_length=2_048)]
    media_type: Annotated[str, StringConstraints(max_length=255)] = "application/octet-stream"
    name: ShortText | None = None
    size: Annotated[int, Field(ge=0, lt=2**63)] | None = None


class MessageData(ContactData):
    """A message's content.

    `kind` says what it is (`text`, `image`, `location`, … or `unknown`, with `raw` kept);
    `automatic` marks auto-replies and bounces: they go on the timeline but open no case and touch
    no clock. `truncated` says that `text` is only the beginning; `original` refers to the whole.
    """

    message_id: Id
    kind: Word = "text"
    subject: ShortText | None = None
    text: Text | None = None
    attachments: tuple[Attachment, ...] = ()
    in_reply_to: Id | None = None
    automatic: bool = False
    truncated: bool = False
    original: str | None = None


class MessageSentData(MessageData):
    """A message that went out to the customer; `sender` is `agent`, `bot` or `system`."""

    sender: Word
    agent_id: Id | None = None


class MessageEditedData(ContactData):
    """The new text of a message that was changed after it was sent."""

    message_id: Id
    text: Text | None = None


class MessageDeletedData(ContactData):
    """Which message was taken back."""

    message_id: Id


class DeliveryChangedData(ContactData):
    """How far one of our messages got: `sent`, `delivered`, `read` or `failed` (with why)."""

    message_id: Id
    status: Word
    reason: ShortText | None = None


class InteractionData(ContactData):
    """One continuous engagement, such as a call; `direction` is `inbound` or `outbound`."""

    interaction_id: Id
    direction: Word = "inbound"


class InteractionAnsweredData(InteractionData):
    """Who answered, when that is known."""

    agent_id: Id | None = None


class InteractionEndedData(InteractionData):
    """How it ended: `completed`, `abandoned`, `failed`, …; `talk_seconds` without ringing."""

    reason: Word = "completed"
    talk_seconds: float | None = None


class FormField(Record):
    """One answer of a form."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    value: Text


class FormSubmittedData(ContactData):
    """A form and its answers."""

    form: Id
    fields: Annotated[tuple[FormField, ...], Field(max_length=200)] = ()


class SelfServiceFinishedData(ContactData):
    """A self-service run that ended without an agent; `resolved` is None when nobody said."""

    interaction_id: Id
    topic: ShortText | None = None
    resolved: bool | None = None


class SelfServiceHandedOverData(ContactData):
    """A self-service run that asked for an agent, with what it found out so far."""

    interaction_id: Id
    topic: ShortText | None = None
    summary: Text | None = None
    fields: Annotated[tuple[FormField, ...], Field(max_length=200)] = ()


class ContactPointChangedData(ContactData):
    """A customer's address became another one, as the provider tells it."""

    previous: ContactPoint
    current: ContactPoint


class MessageReceived(Event):
    """A customer wrote to us."""

    type: Literal["throughline.message.received.v1"] = "throughline.message.received.v1"
    data: MessageData


class MessageSent(Event):
    """We wrote to a customer."""

    type: Literal["throughline.message.sent.v1"] = "throughline.message.sent.v1"
    data: MessageSentData


class MessageEdited(Event):
    """The text of an earlier message changed."""

    type: Literal["throughline.message.edited.v1"] = "throughline.message.edited.v1"
    data: MessageEditedData


class MessageDeleted(Event):
    """An earlier message was taken back."""

    type: Literal["throughline.message.deleted.v1"] = "throughline.message.deleted.v1"
    data: MessageDeletedData


class DeliveryChanged(Event):
    """A message of ours got further on its way, or failed."""

    type: Literal["throughline.delivery.changed.v1"] = "throughline.delivery.changed.v1"
    data: DeliveryChangedData


class InteractionStarted(Event):
    """A call or chat session began to ring or wait."""

    type: Literal["throughline.interaction.started.v1"] = "throughline.interaction.started.v1"
    data: InteractionData


class InteractionAnswered(Event):
    """Somebody took the call or joined the chat session."""

    type: Literal["throughline.interaction.answered.v1"] = "throughline.interaction.answered.v1"
    data: InteractionAnsweredData


class InteractionEnded(Event):
    """A call or chat session is over."""

    type: Literal["throughline.interaction.ended.v1"] = "throughline.interaction.ended.v1"
    data: InteractionEndedData


class FormSubmitted(Event):
    """A customer filled in a form."""

    type: Literal["throughline.form.submitted.v1"] = "throughline.form.submitted.v1"
    data: FormSubmittedData


class SelfServiceFinished(Event):
    """A self-service run ended without asking for an agent."""

    type: Literal["throughline.self-service.finished.v1"] = "throughline.self-service.finished.v1"
    data: SelfServiceFinishedData


class SelfServiceHandedOver(Event):
    """A self-service run asked for an agent."""

    type: Literal["throughline.self-service.handed-over.v1"] = (
        "throughline.self-service.handed-over.v1"
    )
    data: SelfServiceHandedOverData


class ContactPointChanged(Event):
    """A customer's address became another one."""

    type: Literal["throughline.contact-point.changed.v1"] = "throughline.contact-point.changed.v1"
    data: ContactPointChangedData


CONTACT_EVENTS = (
    MessageReceived,
    MessageSent,
    MessageEdited,
    MessageDeleted,
    DeliveryChanged,
    InteractionStarted,
    InteractionAnswered,
    InteractionEnded,
    FormSubmitted,
    SelfServiceFinished,
    SelfServiceHandedOver,
    ContactPointChanged,
)
