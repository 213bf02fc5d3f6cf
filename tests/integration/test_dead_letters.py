"""Records that cannot be processed: kept whole as dead letters, and nobody else suffers."""

from collections.abc import Sequence
from typing import Any

import pytest

from shared.events import Event, encode
from shared.events.dead_letters import DeadLettered
from tests.support.books import assert_every_effect_once, messages
from tests.support.builders import a_message_received
from tests.support.deployment import Deployment, eventually
from tests.support.kafka import publish, publish_raw, read_events, read_records

KEY = b"\xffa key that is not text"
HEADERS = (("trace", b"\x00\xff"), ("empty", None), ("plain", b"text"))
TOPIC = "contact-events"


def _says(text: str) -> bytes:
    return encode(a_message_received("conv_poison", text=text))


POISON = {
    "no value": None,
    "no bytes": b"",
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "not JSON": b"hello",
    "truncated": _says("Hello")[:-20],
    "a list": b"[]",
    "another shape": b'{"specversion": "1.0", "type": "throughline.message.received.v1"}',
    "a decision that raises": _says("poison"),
    "a number no document can hold": _says("too large a number"),
    "more than a document can hold": _says("too large a document"),
    "text no document can hold": _says("half a character"),
}


async def test_poison_of_each_kind_becomes_a_dead_letter_and_its_neighbours_go_on(
    deployment: Deployment,
) -> None:
    good = messages(30, conversations=4)
    process = deployment.start("tests.support.ledger")
    for number, value in enumerate(POISON.values()):
        await publish(deployment.kafka, deployment.prefix, good[2 * number : 2 * number + 2])
        await _publish_poison(deployment, [value], partition=number % 3)
    await publish(deployment.kafka, deployment.prefix, good[2 * len(POISON) :])

    await assert_every_effect_once(deployment, good)
    letters = await eventually(lambda: _letters(deployment, len(POISON)), "all are dead letters")
    assert sorted(str(letter.data.body) for letter in letters) == sorted(map(str, POISON.values()))
    for letter in letters:
        assert letter.data.key == KEY
        assert [(header.name, header.value) for header in letter.data.headers] == list(HEADERS)
        assert letter.data.topic == TOPIC
        assert letter.data.group == "ledger"
        assert letter.data.error
        await _assert_points_at_the_record(deployment, letter)
    assert len({letter.id for letter in letters}) == len(POISON)
    assert await process.metric("dead_letters_total") == len(POISON)
    assert await process.stop() == 0, process.log.read_text()


async def test_odd_headers_and_keys_do_no_harm_to_a_good_record(deployment: Deployment) -> None:
    good = messages(3)
    process = deployment.start("tests.support.ledger")
    values = [encode(event) for event in good]
    await _publish_poison(deployment, values, partition=0)

    await assert_every_effect_once(deployment, good)
    assert await process.metric("dead_letters_total") == 0
    assert await process.stop() == 0, process.log.read_text()


@pytest.mark.parametrize("value", [b"not JSON", _says("poison")], ids=["undecodable", "decision"])
async def test_when_everything_is_bad_the_process_stops_instead_of_draining_the_topic(
    deployment: Deployment, value: bytes
) -> None:
    bad = 100
    await publish_raw(deployment.kafka, f"{deployment.prefix}{TOPIC}", [value] * bad, partition=0)
    most = 0
    for attempt in (1, 2):  # a supervisor restarts it: that must not drain the topic either
        process = deployment.start("tests.support.ledger")
        assert await process.ended() == 1, process.log.read_text()
        assert "could not be processed" in process.log.read_text()
        most += 20
        assert len(await _letters(deployment, 0)) <= most < bad, f"after attempt {attempt}"
    database = deployment.database("ledger")
    try:
        positions = await database.find("positions", {})
    finally:
        database.close()
    assert max(position["offset"] for position in positions) < most


async def test_an_event_of_an_unknown_type_is_handled_not_buried(deployment: Deployment) -> None:
    known = a_message_received("conv_1", event_id="evt_new")
    later = encode(known).replace(b"throughline.message.received.v1", b"throughline.poke.sent.v9")
    process = deployment.start("tests.support.ledger")
    await publish_raw(deployment.kafka, f"{deployment.prefix}{TOPIC}", [later], partition=0)

    await assert_every_effect_once(deployment, [known])
    assert await process.metric("opaque_events_total") == 1
    assert await process.stop() == 0, process.log.read_text()


async def _publish_poison(
    deployment: Deployment, values: Sequence[bytes | None], partition: int
) -> None:
    topic = f"{deployment.prefix}{TOPIC}"
    await publish_raw(
        deployment.kafka, topic, values, key=KEY, headers=HEADERS, partition=partition
    )


async def _letters(deployment: Deployment, at_least: int) -> list[Any]:
    found: list[Event] = await read_events(deployment.kafka, deployment.prefix, "dead-letters")
    return found if len(found) >= at_least else []


async def _assert_points_at_the_record(deployment: Deployment, letter: DeadLettered) -> None:
    data = letter.data
    for record in await read_records(deployment.kafka, f"{deployment.prefix}{TOPIC}"):
        if (record.partition, record.offset) == (data.partition, data.offset):
            assert record.value == data.body
            return
    raise AssertionError(f"no record at {data.partition}/{data.offset}")
