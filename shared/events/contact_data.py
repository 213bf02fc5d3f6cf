"""What contact events tell: the records inside them, one for each kind of event."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from shared.events.envelope import ContactPoint, Id, Moment, Record, Word

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
    `reply_to` is the provider's own address to answer at (a chat, a thread, a mailbox): only that
    provider's sender reads it. `locale` is the customer's language tag (BCP 47).
    `window_closes_at` is until when the provider lets us answer freely, moved on by this event.
    `provider_event_id` is the provider's own id, for looking it up there. `raw` keeps what had no
    place in this model.
    """

    channel: Word
    provider: Word
    channel_account: Id
    conversation_id: Id
    contact_points: Annotated[tuple[ContactPoint, ...], Field(min_length=1, max_length=50)]
    display_name: ShortText | None = None
    locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    reply_to: Annotated[str, StringConstraints(max_length=1_000)] | None = None
    window_closes_at: Moment | None = None
    occurred_at: Moment | None = None
    received_at: Moment
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
    no clock. `html` is the rich text, sanitised: safe to show as it is, without any request to
    others. `truncated` says that `text` is only the beginning; `original` refers to the whole.
    """

    message_id: Id
    kind: Word = "text"
    subject: ShortText | None = None
    text: Text | None = None
    html: Text | None = None
    attachments: tuple[Attachment, ...] = ()
    in_reply_to: Id | None = None
    automatic: bool = False
    truncated: bool = False
    original: str | None = None


class MessageSentData(MessageData):
    """A message that went out to the customer; `sender` is `agent`, `bot` or `system`.

    `echo` says that somebody sent it elsewhere (in the provider's own app, say) and the provider
    told us; `reply_id` is that of our own reply.
    """

    sender: Word
    agent_id: Id | None = None
    echo: bool = False
    reply_id: Id | None = None


class MessageEditedData(ContactData):
    """The new text of a message that was changed after it was sent."""

    message_id: Id
    text: Text | None = None
    html: Text | None = None


class MessageDeletedData(ContactData):
    """Which message was taken back."""

    message_id: Id


class MessageReactedData(ContactData):
    """A reaction to a message: an emoji or the provider's name of it; `removed` takes it back."""

    message_id: Id
    reaction: ShortText | None = None
    removed: bool = False


class DeliveryChangedData(ContactData):
    """How far our messages got: `queued`, `sent`, `delivered`, `read` or `failed` (with why).

    Either one message, or, where a provider only tells a moment, everything sent `up_to` it.
    """

    message_id: Id | None = None
    up_to: Moment | None = None
    status: Word
    reason: ShortText | None = None


class InteractionData(ContactData):
    """One continuous engagement; `direction` is `inbound` or `outbound`, `kind` `call` or `chat`.

    `queue` is the provider's own name of the line it waits in.
    """

    interaction_id: Id
    direction: Word = "inbound"
    kind: Word = "call"
    queue: ShortText | None = None


class InteractionAnsweredData(InteractionData):
    """Who answered, when that is known."""

    agent_id: Id | None = None


class InteractionEndedData(InteractionData):
    """How it ended: `completed`, `abandoned`, `failed`, …; `talk_seconds` without ringing.

    `wait_seconds` is from the start to the answer, or to the end of one nobody answered.
    """

    reason: Word = "completed"
    wait_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    talk_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    hold_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class InteractionRecordedData(InteractionData):
    """Where the recording is; its bytes stay at the provider until somebody asks."""

    recording: Attachment
    duration_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class FormField(Record):
    """One answer of a form."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    value: Text


class FormSubmittedData(ContactData):
    """A form and its answers."""

    form: Id
    fields: Annotated[tuple[FormField, ...], Field(max_length=200)] = ()


class ChoiceMadeData(ContactData):
    """What a customer chose in a telephone menu or told a bot, one step of self-service."""

    interaction_id: Id
    menu: ShortText
    choice: ShortText


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


class ContactUnrecognisedData(ContactData):
    """Something happened that this version has no word for: the provider's `kind`, and `raw`."""

    kind: ShortText
