"""Decisions of the board as events: what each is called on the wire and in the metrics."""

from services.routing.domain import model
from services.routing.domain.model import (
    Answered,
    Completed,
    Offered,
    Queued,
    SentAway,
)
from shared.events import About, Event
from shared.events.routing import (
    OfferAccepted,
    OfferData,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    OfferMadeData,
    OfferWithdrawn,
    WorkItemCompleted,
    WorkItemCompletedData,
    WorkItemQueued,
    WorkItemQueuedData,
)
from shared.streams import Effects, Incoming, TimerDue

SOURCE = "/routing"

_ANSWERS: dict[str, type[Event]] = {
    model.ACCEPTED: OfferAccepted,
    model.DECLINED: OfferDeclined,
    model.EXPIRED: OfferExpired,
    model.WITHDRAWN: OfferWithdrawn,
}


def cause_of(one: Incoming) -> str:
    """Return the id of what an event follows from; a timer's is new each time it is due."""
    if isinstance(one, TimerDue):
        return f"{one.timer_id}@{one.due_at.isoformat()}"
    return one.event.id


class Announcer:
    """Publishes and counts decisions, with the version of the policy they were made under."""

    def __init__(self, effects: Effects, policy_version: str) -> None:
        self._effects = effects
        self._policy_version = policy_version

    def tell(self, decision: model.Decision, because: Incoming) -> None:
        """Publish and count one decision."""
        if isinstance(decision, Queued):
            self._queued(decision, because)
        elif isinstance(decision, Offered):
            self._offered(decision, because)
        elif isinstance(decision, Answered):
            self._answered(decision, because)
        elif isinstance(decision, Completed):
            self._completed(decision, because)
        elif isinstance(decision, SentAway):
            self._effects.count("agents_sent_away_total", pool=decision.pool)

    def _queued(self, decision: Queued, because: Incoming) -> None:
        item = decision.item
        data = WorkItemQueuedData(
            about=about_of(item),
            work_item_id=item.work_item_id,
            pool=item.pool,
            queue=item.queue,
            arrived_at=item.arrived_at,
            reason=decision.reason,
        )
        event = WorkItemQueued.following(
            cause_of(because),
            data,
            source=SOURCE,
            time=decision.at,
            key=item.about.conversation_id,
            about=f"{item.work_item_id}/{item.offers_made}",
        )
        self._effects.publish(event, because)
        if decision.reason == "arrived":
            self._effects.count(
                "work_items_queued_total", queue=item.queue, channel=item.about.channel
            )
        else:
            self._effects.count(
                "work_items_requeued_total", queue=item.queue, reason=decision.reason
            )

    def _offered(self, decision: Offered, because: Incoming) -> None:
        offer = decision.offer
        data = OfferMadeData(
            **_offer_fields(decision),
            expires_at=offer.expires_at,
            considered=decision.considered,
            excluded=decision.excluded,
            policy_version=self._policy_version,
        )
        event = OfferMade.following(
            cause_of(because),
            data,
            source=SOURCE,
            time=offer.made_at,
            key=decision.item.about.conversation_id,
            about=offer.offer_id,
        )
        self._effects.publish(event, because)
        self._effects.count("offers_made_total", queue=offer.queue)

    def _answered(self, decision: Answered, because: Incoming) -> None:
        offer = decision.offer
        event = _ANSWERS[offer.state].following(
            cause_of(because),
            OfferData(**_offer_fields(decision)),
            source=SOURCE,
            time=decision.at,
            key=decision.item.about.conversation_id,
            about=offer.offer_id,
        )
        self._effects.publish(event, because)
        self._effects.count("offers_answered_total", queue=offer.queue, outcome=offer.state)

    def _completed(self, decision: Completed, because: Incoming) -> None:
        item, offer = decision.item, decision.offer
        data = WorkItemCompletedData(
            about=about_of(item),
            work_item_id=item.work_item_id,
            pool=item.pool,
            queue=item.queue,
            agent_id=offer.agent_id,
            agent_name=offer.agent_name,
            handled_seconds=decision.handled_seconds,
        )
        event = WorkItemCompleted.following(
            cause_of(because),
            data,
            source=SOURCE,
            time=decision.at,
            key=item.about.conversation_id,
            about=item.work_item_id,
        )
        self._effects.publish(event, because)
        self._effects.count("work_items_completed_total", queue=item.queue)


def about_of(item: model.WorkItem) -> About:
    """Return whom a work item is about, as it travels."""
    about = item.about
    return About(
        conversation_id=about.conversation_id,
        channel=about.channel,
        contact_points=about.contact_points,
        case_id=about.case_id,
        case_reference=about.case_reference,
    )


def _offer_fields(decision: Offered | Answered) -> dict[str, object]:
    item, offer = decision.item, decision.offer
    return {
        "about": about_of(item),
        "work_item_id": item.work_item_id,
        "pool": offer.pool,
        "queue": offer.queue,
        "offer_id": offer.offer_id,
        "agent_id": offer.agent_id,
        "agent_name": offer.agent_name,
    }
