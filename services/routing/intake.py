"""Intake: a customer's first message on a conversation becomes a case and a work item."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from services.routing import store
from services.routing.announce import SOURCE
from services.routing.domain.case import Case, due_serial, open_case
from services.routing.domain.classify import Classification, Classifier, Inquiry, readable
from services.routing.domain.policy import RoutingPolicy
from shared.events import About
from shared.events.contact import (
    FormSubmitted,
    InteractionStarted,
    MessageReceived,
    SelfServiceHandedOver,
)
from shared.events.routing import (
    CaseOpened,
    CaseOpenedData,
    WorkItemSubmitted,
    WorkItemSubmittedData,
)
from shared.ids import derived_id
from shared.streams import Effects, Find, Incoming, Received, State

Approach = MessageReceived | FormSubmitted | SelfServiceHandedOver | InteractionStarted
"""The kinds of contact event by which a customer comes to us."""


class Intake:
    """Opens cases, under one version of the policy."""

    def __init__(self, policy: RoutingPolicy, policy_version: str) -> None:
        self._classifier = Classifier(policy)
        self._version = policy_version

    def needs(self, incoming: Sequence[Incoming], state: State) -> Iterator[Find]:
        """Name the conversations' cases, and whoever has the references they would get."""
        approaches = list(_approaches(incoming))
        yield from store.find_cases(event.data.conversation_id for event, _ in approaches)
        yield from store.find_references(
            case.reference for case, _, _ in _opened(approaches, state)
        )

    def decide(self, incoming: Sequence[Incoming], state: State, _now: datetime) -> Effects:
        """Open a case for each conversation that needs one."""
        effects = Effects()
        for case, event, received in _opened(list(_approaches(incoming)), state):
            self._open(effects, case, event, received)
        return effects

    def _open(self, effects: Effects, case: Case, event: Approach, because: Received) -> None:
        data = event.data
        found = self._classifier.classify(_inquiry(event))
        about = About.trusted(
            conversation_id=data.conversation_id,
            channel=data.channel,
            contact_points=data.contact_points,
            case_id=case.case_id,
            case_reference=case.reference,
        )
        opened = CaseOpened.following(
            event.id,
            CaseOpenedData.trusted(
                about=about,
                queue=found.queue,
                required_skills=found.required_skills,
                policy_version=self._version,
            ),
            source=SOURCE,
            time=event.time,
            key=data.conversation_id,
            about=case.case_id,
        )
        submitted = self._submitted(event, found, about, case.case_id)
        effects.insert(
            store.CASES,
            store.case_document(case, data.channel, found, submitted.data.work_item_id),
        )
        effects.publish(opened, because)
        effects.publish(submitted, because)
        effects.count("cases_opened_total", queue=found.queue, channel=data.channel)

    def _submitted(
        self, event: Approach, found: Classification, about: About, case_id: str
    ) -> WorkItemSubmitted:
        return WorkItemSubmitted.following(
            event.id,
            WorkItemSubmittedData.trusted(
                work_item_id=derived_id("work", case_id),
                about=about,
                pool=found.pool,
                queue=found.queue,
                required_skills=found.required_skills,
                capacity_units=found.capacity_units,
                priority=found.priority,
                arrived_at=event.time,
                policy_version=self._version,
            ),
            source=SOURCE,
            time=event.time,
            key=found.pool,
            about=case_id,
        )


def _approaches(incoming: Sequence[Incoming]) -> Iterator[tuple[Approach, Received]]:
    """Yield the events by which a customer came to us; whatever else happened opens no case."""
    for one in incoming:
        if not isinstance(one, Received):
            continue
        event = one.event
        if isinstance(event, MessageReceived):
            if not event.data.automatic:
                yield event, one
        elif isinstance(event, InteractionStarted):
            if event.data.direction == "inbound":
                yield event, one
        elif isinstance(event, (FormSubmitted, SelfServiceHandedOver)):
            yield event, one


def _opened(
    approaches: Sequence[tuple[Approach, Received]], state: State
) -> Iterator[tuple[Case, Approach, Received]]:
    """Yield the cases that are to be opened, as far as the loaded documents tell."""
    owners: dict[str, str] = {}
    latest: dict[str, Case] = {}
    for document in state.all(store.CASES):
        case = store.case_from(document)
        owners[case.reference] = case.case_id
        known = latest.get(case.conversation_id)
        if known is None or known.serial < case.serial:
            latest[case.conversation_id] = case
    for event, received in approaches:
        conversation_id = event.data.conversation_id
        serial = due_serial(latest.get(conversation_id), event.id, event.time)
        if serial is None:
            continue
        case = open_case(conversation_id, serial, event.id, event.time, owners)
        latest[conversation_id] = case
        owners[case.reference] = case.case_id
        yield case, event, received


def _inquiry(event: Approach) -> Inquiry:
    data = event.data
    return Inquiry(data.channel, data.provider, data.channel_account, _text(event))


def _text(event: Approach) -> str:
    if isinstance(event, MessageReceived):
        return readable(event.data.subject, event.data.text)
    if isinstance(event, FormSubmitted):
        return readable(event.data.form, *(field.value for field in event.data.fields))
    if isinstance(event, SelfServiceHandedOver):
        answers = (field.value for field in event.data.fields)
        return readable(event.data.topic, event.data.summary, *answers)
    return ""
