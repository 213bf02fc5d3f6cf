"""What ingest remembers of a conversation, from the events to the document and back."""

from datetime import timedelta
from typing import Any

import pytest

from services.ingest.domain.conversations import Conversation, hear
from services.ingest.replies import conversation_index
from services.ingest.replies.events import event_of
from services.ingest.replies.store import reply_document
from services.ingest.store import (
    CONVERSATIONS,
    conversation_document,
    conversation_from,
)
from shared.events.contact import MessageSent
from shared.events.contact_data import MessageSentData
from shared.events.envelope import About
from shared.events.routing import CaseOpened, CaseOpenedData
from shared.streams import Received, State
from tests.support.builders import NOON, a_message_received
from tests.support.builders_replies import reply as a_reply

HOUR = timedelta(hours=1)


def decided(*events: object, state: State | None = None) -> dict:
    incoming = [Received(event, "shard") for event in events]  # type: ignore[arg-type]
    effects = conversation_index.decide(incoming, state or State(), NOON)
    return {write.document["_id"]: write.document for write in effects.writes}


def conversation(*events: object) -> Conversation:
    return conversation_from(decided(*events)["conv_1"])


def a_case(reference: str = "7KF-M3X-QPW") -> CaseOpened:
    about = About(
        conversation_id="conv_1",
        channel="chat",
        contact_points=("chat:visitor-1",),
        case_id="case_1",
        case_reference=reference,
    )
    data = CaseOpenedData(about=about, queue="general", policy_version="1")
    return CaseOpened(id="evt_case", source="/routing", time=NOON, partitionkey="conv_1", data=data)


def test_the_conversation_knows_where_a_reply_goes() -> None:
    known = conversation(
        a_message_received(
            message_id="m-1",
            subject="Order 7",
            reply_to="room-9",
            window_closes_at=NOON + 24 * HOUR,
        )
    )
    assert (known.provider, known.account, known.channel) == ("tests", "main", "chat")
    assert known.contact_points == ("chat:visitor-1",)
    assert known.reply_to and known.reply_to.value == "room-9"
    assert known.subject and known.subject.value == "Order 7"
    assert known.last_received and known.last_received.value == "m-1"
    assert known.window_closes_at == NOON + 24 * HOUR


def test_an_event_without_an_address_to_answer_at_keeps_the_last_one() -> None:
    known = conversation(
        a_message_received(reply_to="room-9"), a_message_received(time=NOON + HOUR)
    )
    assert known.reply_to and known.reply_to.value == "room-9"


def test_the_window_never_moves_back() -> None:
    late = a_message_received(time=NOON, window_closes_at=NOON + 24 * HOUR)
    soon = a_message_received(time=NOON + HOUR, window_closes_at=NOON + 23 * HOUR)
    assert conversation(late, soon).window_closes_at == NOON + 24 * HOUR


def test_the_contact_point_used_last_comes_first() -> None:
    known = conversation(
        a_message_received(contact_points=("tel:+38640555010",)),
        a_message_received(
            time=NOON + HOUR, contact_points=("whatsapp:p/SI.1", "tel:+38640555011")
        ),
    )
    assert known.contact_points == ("whatsapp:p/SI.1", "tel:+38640555011")


def test_a_strangers_address_is_not_the_customers() -> None:
    ana = a_message_received(contact_points=("email:ana@example.si",))
    stranger = a_message_received(time=NOON + HOUR, contact_points=("email:bor@example.com",))
    again = a_message_received(time=NOON + 2 * HOUR, contact_points=("email:ana@example.si",))
    assert conversation(ana, stranger).contact_points == ("email:bor@example.com",)
    assert conversation(ana, stranger, again).contact_points == ("email:ana@example.si",)


def test_what_the_provider_told_together_stays_one_persons() -> None:
    both = a_message_received(contact_points=("whatsapp:p/SI.1", "tel:+38640555011"))
    stranger = a_message_received(time=NOON + HOUR, contact_points=("whatsapp:p/SI.2",))
    one = a_message_received(time=NOON + 2 * HOUR, contact_points=("whatsapp:p/SI.1",))
    assert conversation(both, stranger, one).contact_points == (
        "whatsapp:p/SI.1",
        "tel:+38640555011",
    )


def settled(state: str, **content: object) -> Any:
    """Return the event of a settled reply to a person with two addresses."""
    document = reply_document(
        a_reply(contact_points=("whatsapp:p/SI.1", "tel:+38640555011"), **content),
        provider="whatsapp",
        account="main",
        channel="messaging",
        fingerprint="",
    )
    outcome = {"state": state, "reason": "refused", "message_id": "wamid.1", "settled_at": NOON}
    return event_of({**document, **outcome})


@pytest.mark.parametrize("state", ["sent", "failed"])
def test_our_own_event_names_only_whom_the_reply_went_to(state: str) -> None:
    assert settled(state).data.contact_points == ("whatsapp:p/SI.1",)
    to_number = settled(state, reply_to="+38640555011")
    assert to_number.data.contact_points == ("tel:+38640555011",)
    elsewhere = settled(state, reply_to="room-9")
    assert elsewhere.data.contact_points == ("whatsapp:p/SI.1",)


@pytest.mark.parametrize("state", ["sent", "failed"])
def test_a_reply_links_nobody_to_a_stranger_who_wrote_into_the_conversation(state: str) -> None:
    ana, bor = "email:ana@example.si", "email:bor@example.com"
    known = conversation(
        a_message_received(contact_points=(ana,)),
        a_message_received(time=NOON + HOUR, contact_points=(bor,)),
    )
    document = reply_document(
        a_reply(contact_points=known.contact_points),
        provider="email",
        account="support",
        channel="email",
        fingerprint="",
    )
    outcome = {"state": state, "reason": "refused", "message_id": "m-9", "settled_at": NOON}
    assert event_of({**document, **outcome}).data.contact_points == (bor,)


def test_routing_tells_the_case() -> None:
    known = conversation(a_case(), a_message_received())
    assert known.case_reference and known.case_reference.value == "7KF-M3X-QPW"
    assert known.provider == "tests"


def test_our_own_message_joins_the_thread_and_is_not_the_one_to_answer() -> None:
    first = a_message_received(message_id="m-1", in_reply_to="m-0")
    ours = MessageSent(
        id="evt_ours",
        source="/tests",
        time=NOON + HOUR,
        partitionkey="conv_1",
        data=MessageSentData(
            **{**first.data.model_dump(), "message_id": "m-2", "in_reply_to": "m-1"},
            sender="agent",
        ),
    )
    known = conversation(first, ours)
    assert known.message_ids == ("m-0", "m-1", "m-2")
    assert known.last_received and known.last_received.value == "m-1"


def test_the_very_first_message_stays_in_a_long_thread() -> None:
    events = [a_message_received(message_id=f"m-{n}", time=NOON + n * HOUR) for n in range(50)]
    ids = conversation(*events).message_ids
    assert ids[0] == "m-0"
    assert ids[-1] == "m-49"
    assert len(ids) == 21


def test_an_automatic_message_is_told_apart_from_a_customers() -> None:
    machine = a_message_received(time=NOON + HOUR, automatic=True)
    assert conversation(a_message_received(), machine).answers_a_machine
    person = a_message_received(time=NOON + 2 * HOUR)
    assert not conversation(machine, person).answers_a_machine


def test_what_was_heard_before_is_not_written_again() -> None:
    event = a_message_received()
    document = decided(event)["conv_1"]
    assert decided(event, state=State({CONVERSATIONS: {"conv_1": document}})) == {}


def test_a_conversation_survives_being_kept() -> None:
    event = a_message_received(
        reply_to="x",
        subject="y",
        window_closes_at=NOON,
        attachments=({"reference": "blob:1", "media_type": "image/png", "name": "a.png"},),
    )
    fact = conversation_index.fact_of(event)
    assert fact is not None
    known = hear(Conversation("conv_1"), fact)
    assert conversation_from(conversation_document(known)) == known
    assert [file.reference for file in known.files] == ["blob:1"]
