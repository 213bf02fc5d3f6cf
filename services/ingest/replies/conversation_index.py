"""The conversation index: what the contact events say of where a reply goes, kept by conversation.

Ingest reads its own topic for it, so it hears every door alike, other processes' and integrators'
included. Routing tells which case a conversation became.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from services.ingest.domain.conversations import Conversation, Fact, hear
from services.ingest.store import CONVERSATIONS, conversation_document, conversation_from
from shared.events import Event
from shared.events.contact import CONTACT_EVENTS, MessageReceived
from shared.events.contact_data import ContactData, InteractionRecordedData, MessageData
from shared.events.routing import CaseOpened
from shared.streams import CALM, Effects, Find, Incoming, Processor, Received, State

NAME = "ingest-conversations"
TOPICS = ("contact-events", "routing-events")


def processor() -> Processor:
    """Return the processor to run."""
    return Processor(NAME, TOPICS, needs, decide, rounds=1, pace=CALM)


def needs(incoming: Sequence[Incoming], state: State) -> Iterable[Find]:
    """Name the conversations that the batch is about."""
    ids = frozenset(fact.conversation_id for fact in _facts(incoming))
    return [Find(CONVERSATIONS, ids=ids)] if ids else []


def decide(incoming: Sequence[Incoming], state: State, now: datetime) -> Effects:
    """Take in every fact, and save each conversation that changed, once."""
    before: dict[str, Conversation] = {}
    after: dict[str, Conversation] = {}
    for fact in _facts(incoming):
        known = after.get(fact.conversation_id)
        if known is None:
            known = before[fact.conversation_id] = _load(state, fact.conversation_id)
        after[fact.conversation_id] = hear(known, fact)
    effects = Effects()
    for conversation_id, conversation in after.items():
        if conversation != before[conversation_id]:
            effects.save(CONVERSATIONS, conversation_document(conversation))
    return effects


def _load(state: State, conversation_id: str) -> Conversation:
    document = state.get(CONVERSATIONS, conversation_id)
    return conversation_from(document) if document else Conversation(conversation_id)


def _facts(incoming: Sequence[Incoming]) -> Iterable[Fact]:
    for item in incoming:
        fact = fact_of(item.event) if isinstance(item, Received) else None
        if fact is not None:
            yield fact


def fact_of(event: Event) -> Fact | None:
    """Return what an event tells of its conversation; None for one that tells nothing."""
    if isinstance(event, CaseOpened):
        about = event.data.about
        return Fact(
            about.conversation_id, event.id, event.time, case_reference=about.case_reference
        )
    if not isinstance(event, CONTACT_EVENTS):
        return None
    data: ContactData = event.data
    message = data if isinstance(data, MessageData) else None
    return Fact(
        conversation_id=data.conversation_id,
        event_id=event.id,
        at=event.time,
        provider=data.provider,
        account=data.channel_account,
        channel=data.channel,
        contact_points=data.contact_points,
        reply_to=data.reply_to,
        subject=message.subject if message else None,
        message_id=message.message_id if message else None,
        in_reply_to=message.in_reply_to if message else None,
        from_customer=isinstance(event, MessageReceived),
        automatic=message.automatic if message else False,
        window_closes_at=data.window_closes_at,
        files=_files(data),
    )


def _files(data: ContactData) -> tuple[tuple[str, str, str], ...]:
    attachments = data.attachments if isinstance(data, MessageData) else ()
    if isinstance(data, InteractionRecordedData):
        attachments = (data.recording,)
    return tuple((one.reference, one.media_type, one.name or "") for one in attachments)
