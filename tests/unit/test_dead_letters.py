"""Dead letters: whatever a record held or lacked, its dead letter can be read back."""

from shared.events import decode, encode
from shared.events.dead_letters import DeadHeader, DeadLetterData, DeadLettered
from shared.events.topics import DEAD_LETTER_TOPIC
from tests.support.builders import NOON


def a_dead_letter(body: bytes | None, header: bytes | None) -> DeadLettered:
    return DeadLettered(
        id="evt_1",
        source="/profile",
        time=NOON,
        partitionkey="contact-events",
        data=DeadLetterData.model_construct(
            origin="record",
            topic="contact-events",
            partition=0,
            offset=7,
            group="profile",
            headers=(DeadHeader.model_construct(name="h", value=header),),
            body=body,
            error="Undecodable",
            code_version="0",
        ),
    )


def test_the_dead_letter_of_a_record_without_a_value_can_be_read() -> None:
    letter = decode(DEAD_LETTER_TOPIC.name, encode(a_dead_letter(None, b"\xff")))
    assert (letter.data.body, letter.data.headers[0].value) == (None, b"\xff")


def test_the_dead_letter_of_a_record_with_a_null_header_can_be_read() -> None:
    letter = decode(DEAD_LETTER_TOPIC.name, encode(a_dead_letter(b"\xfe", None)))
    assert (letter.data.body, letter.data.headers[0].value) == (b"\xfe", None)
