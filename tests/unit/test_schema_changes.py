"""What breaks a contract is said in a sentence, and what only adds is not mentioned."""

from typing import Any

import pytest

from deploy.schema_changes import breaking_changes

TEXT = {"type": "string", "maxLength": 10}


def record(required: tuple[str, ...] = ("id",), **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"id": TEXT, **fields}, "required": list(required)}


def nested(**data: Any) -> dict[str, Any]:
    """Return an event whose data is a definition of its own, as pydantic writes it."""
    return {**record(data={"$ref": "#/$defs/Data"}), "$defs": {"Data": record((), **data)}}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (nested(name=TEXT), nested(), "data.name is gone."),
        (record(), record(("id", "name"), name=TEXT), "name is required now."),
        (record(), record(()), "id is not always there any more."),
        (
            record(name=TEXT),
            record(name={"type": "integer"}),
            "name was string and must be integer now.",
        ),
        (
            record(n={"type": "number"}),
            record(n={"type": "integer"}),
            "n was number and must be integer now.",
        ),
        (record(name={}), record(name=TEXT), "name must be string now."),
        (
            record(kind={"enum": ["a", "b"]}),
            record(kind={"enum": ["a"]}),
            "kind does not allow 'b' any more.",
        ),
        (
            record(kind={"const": "a"}),
            record(kind={"const": "b"}),
            "kind does not allow 'a' any more.",
        ),
        (
            record(kind={"type": "string"}),
            record(kind={"type": "string", "enum": ["a"]}),
            "kind allows only certain values now.",
        ),
        (
            record(),
            record(id={**TEXT, "maxLength": 9}),
            "id has a maxLength of 9 now.",
        ),
        (record(), record(id={**TEXT, "minLength": 1}), "id has a minLength of 1 now."),
        (
            record(n={"type": "integer", "minimum": 0}),
            record(n={"type": "integer", "minimum": 1}),
            "n has a minimum of 1 now.",
        ),
        (record(), record(id={**TEXT, "pattern": "^a"}), "id has another pattern now."),
        (record(), record(id={**TEXT, "format": "uri"}), "id has another format now."),
        (
            record(points={"type": "array", "items": TEXT}),
            record(points={"type": "array", "items": {**TEXT, "maxLength": 3}}),
            "points[] has a maxLength of 3 now.",
        ),
        (
            record(name={"anyOf": [TEXT, {"type": "null"}]}),
            record(name=TEXT),
            "name cannot be null any more.",
        ),
        (
            record(name={"anyOf": [TEXT, {"type": "null"}]}),
            record(name={"anyOf": [{**TEXT, "maxLength": 5}, {"type": "null"}]}),
            "name has a maxLength of 5 now.",
        ),
        (
            record(),
            {**record(), "additionalProperties": False},
            "the event takes no unknown fields any more.",
        ),
        (
            record(raw={"type": "object"}),
            record(raw={"type": "object", "additionalProperties": {"type": "string"}}),
            "raw.* must be string now.",
        ),
        (record(name=TEXT), record(name=False), "name is not allowed any more."),
        (
            record(kind={**TEXT, "default": "text"}),
            record(kind={**TEXT, "default": "image"}),
            "kind means 'image' when it is left out, not 'text'.",
        ),
        (record(), {**record(), "not": {}}, "the event says not differently."),
    ],
)
def test_a_breaking_change_is_named(old: Any, new: Any, sentence: str) -> None:
    assert breaking_changes(old, new) == [sentence]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (record(), record(name=TEXT)),
        (record(), {**record(), "title": "Other", "description": "other", "examples": [1]}),
        (record(), record(id={**TEXT, "maxLength": 11})),
        (record(), record(id={"type": "string"})),
        (record(name=TEXT), record(name={"anyOf": [TEXT, {"type": "null"}]})),
        (record(n={"type": "integer"}), record(n={"type": "number"})),
        (record(n={"type": "integer"}), record(n={"type": ["integer", "string"]})),
        (record(kind={"enum": ["a"]}), record(kind={"enum": ["b", "a"]})),
        (record(kind={"const": "a"}), record(kind={"type": "string"})),
        (record(id={**TEXT, "pattern": "^a"}), record()),
        ({**record(), "additionalProperties": False}, record()),
        (nested(), nested(name=TEXT)),
        (nested(), {**record(data=record(()))}),
        (record(name=False), record(name=TEXT)),
    ],
)
def test_what_only_adds_passes(old: Any, new: Any) -> None:
    assert breaking_changes(old, new) == []


def test_a_definition_that_refers_to_itself_is_compared_once() -> None:
    def tree(limit: int) -> dict[str, Any]:
        node = record(name={**TEXT, "maxLength": limit}, child={"$ref": "#/$defs/Node"})
        return {"$ref": "#/$defs/Node", "$defs": {"Node": node}}

    assert breaking_changes(tree(5), tree(5)) == []
    assert breaking_changes(tree(5), tree(4)) == ["name has a maxLength of 4 now."]
