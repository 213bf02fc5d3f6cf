"""The examples show every event type as it travels, and the codec and schemas agree with them."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from shared.contracts.schemas import event_types, schema
from shared.events import Event, OpaqueEvent, decode, encode
from shared.events.contact_data import ContactData
from shared.events.envelope import Record
from shared.events.topics import CONTACT_INBOX, HOME
from tests.support.examples import example_files, wire_type_of

CLASSES = {kind.wire_type: kind for kind in event_types()}
EXAMPLES = pytest.mark.parametrize("path", example_files(), ids=lambda path: path.stem)


def decoded(path: Path) -> Event:
    return decode(HOME[wire_type_of(path)].name, path.read_bytes())


def records_in(value: Any) -> Iterator[Record]:
    """Yield a record and every record inside it."""
    if isinstance(value, Record):
        yield value
        for name in type(value).model_fields:
            yield from records_in(getattr(value, name))
    elif isinstance(value, tuple):
        for each in value:
            yield from records_in(each)


def origin_of(kind: type[Record], field: str) -> tuple[str, str]:
    """Return which class a field was declared in, so that an inherited one counts once."""
    declared = [base for base in kind.__mro__ if field in inspect.get_annotations(base)]
    return declared[-1].__name__, field


def test_every_type_of_the_catalogue_has_an_example() -> None:
    assert {wire_type_of(path) for path in example_files()} == set(CLASSES)


@EXAMPLES
def test_an_example_decodes_to_its_own_class_and_re_encodes_to_an_equal_event(path: Path) -> None:
    event = decoded(path)
    assert type(event) is CLASSES[wire_type_of(path)]
    assert decode(HOME[event.type].name, encode(event)) == event
    assert json.loads(encode(event)) == json.loads(path.read_bytes())


@EXAMPLES
def test_an_example_gives_its_partition_key_as_its_topic_says(path: Path) -> None:
    event = decoded(path)
    data: Any = event.data  # type: ignore[attr-defined]
    keys = {
        "conversation id": lambda: data.conversation_id,
        "contact point": lambda: data.contact_points[0],
        "pool": lambda: data.pool,
        "the case's opening conversation id": lambda: data.about.conversation_id,
        "customer id": lambda: data.customer_id,
        "source topic, or provider and channel account": lambda: (
            data.topic or f"{data.provider}/{data.channel_account}"
        ),
    }
    assert event.partitionkey == keys[HOME[event.type].key]()


@pytest.mark.parametrize("kind", CONTACT_INBOX.events, ids=lambda kind: kind.wire_type)
def test_what_integrators_may_send_decodes_on_the_inbox_too(kind: type[Event]) -> None:
    [path] = [path for path in example_files() if wire_type_of(path) == kind.wire_type]
    assert type(decode(CONTACT_INBOX.name, path.read_bytes())) is kind


def test_every_example_validates_against_its_generated_schema() -> None:
    for path in example_files():
        contract = schema(CLASSES[wire_type_of(path)])
        jsonschema.Draft202012Validator(contract).validate(json.loads(path.read_bytes()))


@EXAMPLES
def test_unknown_fields_are_ignored(path: Path) -> None:
    document = json.loads(path.read_bytes())
    document["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    document["data"]["field_of_a_later_version"] = {"any": ["thing"]}
    assert decode(HOME[document["type"]].name, json.dumps(document).encode()) == decoded(path)


@EXAMPLES
def test_an_unknown_type_decodes_as_opaque_and_keeps_its_data(path: Path) -> None:
    document = json.loads(path.read_bytes())
    home = HOME[document["type"]].name
    document["type"] = "throughline.carrier-pigeon.landed.v1"
    event = decode(home, json.dumps(document).encode())
    assert isinstance(event, OpaqueEvent)
    assert event.type == "throughline.carrier-pigeon.landed.v1"
    assert event.data == document["data"]


def test_every_field_of_every_event_is_used_in_some_example() -> None:
    declared, used = set(), set()
    for path in example_files():
        for record in records_in(decoded(path)):
            for name in type(record).model_fields:
                declared.add(origin_of(type(record), name))
                if getattr(record, name) not in (None, (), {}):
                    used.add(origin_of(type(record), name))
    assert declared - used == set()


def test_a_customer_without_telephone_number_and_e_mail_address_is_among_the_examples() -> None:
    contact_points = [
        event.data.contact_points  # type: ignore[attr-defined]
        for event in map(decoded, example_files())
        if isinstance(getattr(event, "data", None), ContactData)
    ]
    assert any(
        not any(point.startswith(("tel:", "email:")) for point in points)
        and points[0].startswith("whatsapp:")
        for points in contact_points
    )


def test_every_address_in_the_examples_is_one_that_belongs_to_nobody() -> None:
    for path in example_files():
        for record in records_in(decoded(path)):
            for point in getattr(record, "contact_points", ()):
                scheme, _, value = point.partition(":")
                assert scheme != "tel" or value[5:10] == "55501"  # set aside for fiction
                assert scheme != "email" or value.endswith(("@example.com", "@example.si"))
