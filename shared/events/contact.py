"""Contact events: what happened between a customer and us, on any channel, in one form.

Written by ingest to `contact-events`, keyed by conversation id.
"""

from typing import Literal

from shared.events.contact_data import (
    ChoiceMadeData,
    ContactPointChangedData,
    ContactUnrecognisedData,
    DeliveryChangedData,
    FormSubmittedData,
    InteractionAnsweredData,
    InteractionData,
    InteractionEndedData,
    InteractionRecordedData,
    MessageData,
    MessageDeletedData,
    MessageEditedData,
    MessageReactedData,
    MessageSentData,
    SelfServiceFinishedData,
    SelfServiceHandedOverData,
)
from shared.events.envelope import Event


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


class MessageReacted(Event):
    """A customer reacted to a message, or took the reaction back."""

    type: Literal["throughline.message.reacted.v1"] = "throughline.message.reacted.v1"
    data: MessageReactedData


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


class InteractionHeld(Event):
    """The customer was put on hold."""

    type: Literal["throughline.interaction.held.v1"] = "throughline.interaction.held.v1"
    data: InteractionData


class InteractionResumed(Event):
    """The customer is off hold."""

    type: Literal["throughline.interaction.resumed.v1"] = "throughline.interaction.resumed.v1"
    data: InteractionData


class InteractionRecorded(Event):
    """A recording of a call or chat session can be fetched."""

    type: Literal["throughline.interaction.recorded.v1"] = "throughline.interaction.recorded.v1"
    data: InteractionRecordedData


class InteractionEnded(Event):
    """A call or chat session is over."""

    type: Literal["throughline.interaction.ended.v1"] = "throughline.interaction.ended.v1"
    data: InteractionEndedData


class FormSubmitted(Event):
    """A customer filled in a form."""

    type: Literal["throughline.form.submitted.v1"] = "throughline.form.submitted.v1"
    data: FormSubmittedData


class ChoiceMade(Event):
    """A customer made a choice in self-service."""

    type: Literal["throughline.choice.made.v1"] = "throughline.choice.made.v1"
    data: ChoiceMadeData


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


class ContactUnrecognised(Event):
    """Something of an unknown kind happened with a customer; kept whole."""

    type: Literal["throughline.contact.unrecognised.v1"] = "throughline.contact.unrecognised.v1"
    data: ContactUnrecognisedData


CONTACT_EVENTS = (
    MessageReceived,
    MessageSent,
    MessageEdited,
    MessageDeleted,
    MessageReacted,
    DeliveryChanged,
    InteractionStarted,
    InteractionAnswered,
    InteractionHeld,
    InteractionResumed,
    InteractionEnded,
    InteractionRecorded,
    FormSubmitted,
    ChoiceMade,
    SelfServiceFinished,
    SelfServiceHandedOver,
    ContactPointChanged,
    ContactUnrecognised,
)
