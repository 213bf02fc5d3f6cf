"""What the comparer lets pass, no document of the old version notices; what narrows, it names."""

import copy
from collections.abc import Callable
from typing import Any

import jsonschema
from hypothesis import assume, given
from hypothesis import strategies as st

from deploy.schema_changes import breaking_changes

Json = dict[str, Any]
NAMES = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def texts(draw: st.DrawFn) -> Json:
    least = draw(st.integers(0, 3))
    return {"type": "string", "minLength": least, "maxLength": least + draw(st.integers(0, 4))}


@st.composite
def numbers(draw: st.DrawFn) -> Json:
    least = draw(st.integers(-5, 5))
    kind = draw(st.sampled_from(["integer", "number"]))
    return {"type": kind, "minimum": least, "maximum": least + draw(st.integers(0, 9))}


def enums() -> st.SearchStrategy[Json]:
    values = st.sampled_from(["x", "y", "z"])
    return st.lists(values, min_size=1, unique=True).map(lambda v: {"type": "string", "enum": v})


def lists(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.builds(
        lambda items, most: {"type": "array", "items": items, "maxItems": most},
        inner,
        st.integers(0, 3),
    )


@st.composite
def records(draw: st.DrawFn, inner: st.SearchStrategy[Json]) -> Json:
    fields = draw(st.dictionaries(NAMES, inner, max_size=3))
    required = [name for name in fields if draw(st.booleans())]
    return {"type": "object", "properties": fields, "required": required}


def optional(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return inner.map(lambda schema: {"anyOf": [schema, {"type": "null"}]})


LEAVES = texts() | numbers() | enums()
SCHEMAS = st.recursive(LEAVES, lambda inner: lists(inner) | records(inner) | optional(inner))
EVENTS = records(SCHEMAS)


def instances(schema: Json) -> st.SearchStrategy[Any]:
    """Return documents that are valid by a schema of the kinds above."""
    if "anyOf" in schema:
        return st.one_of([instances(one) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "null":
            return st.none()
        case "string":
            return st.text("xyz", min_size=schema["minLength"], max_size=schema["maxLength"])
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "number":
            return st.floats(schema["minimum"], schema["maximum"])
        case "array":
            return st.lists(instances(schema["items"]), max_size=schema["maxItems"])
    fields = {name: instances(one) for name, one in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema["required"]}
    return st.fixed_dictionaries(required, optional=fields)


def parts(schema: Json) -> list[Json]:
    """Return a schema and every schema inside it."""
    inside = [
        *schema.get("properties", {}).values(),
        *([schema["items"]] if "items" in schema else []),
        *schema.get("anyOf", ()),
    ]
    return [schema, *(part for one in inside for part in parts(one))]


def _move(keyword: str, by: int) -> Callable[[Json], None]:
    def change(part: Json) -> None:
        if keyword in part:
            part[keyword] = part[keyword] + by

    return change


def _drop(keyword: str) -> Callable[[Json], None]:
    return lambda part: part.pop(keyword, None)


def _more_values(part: Json) -> None:
    if "enum" in part:
        part["enum"] = [*part["enum"], "w"]


def _fewer_values(part: Json) -> None:
    if len(part.get("enum", ())) > 1:
        part["enum"] = part["enum"][1:]


def _new_field(part: Json) -> None:
    if "properties" in part:
        part["properties"][f"new{len(part['properties'])}"] = {"type": "string"}


def _new_required(part: Json) -> None:
    if "properties" in part:
        _new_field(part)
        part["required"] = [*part["required"], list(part["properties"])[-1]]


def _lose_field(part: Json) -> None:
    if part.get("properties"):
        name = sorted(part["properties"])[0]
        del part["properties"][name]
        part["required"] = [one for one in part["required"] if one != name]


def _demand_all(part: Json) -> None:
    if "properties" in part:
        missing = sorted(set(part["properties"]) - set(part["required"]))
        part["required"] = [*part["required"], *missing]  # another order alone changes nothing


def _never_null(part: Json) -> None:
    if "anyOf" in part:
        part.update(part.pop("anyOf")[0])


def _to_integer(part: Json) -> None:
    if part.get("type") == "number":
        part["type"] = "integer"


WIDENING = (
    *(_move(keyword, -1) for keyword in ("minimum",)),
    *(_move(keyword, 1) for keyword in ("maxLength", "maxItems", "maximum")),
    *(_drop(keyword) for keyword in ("minLength", "maxLength", "minimum", "maximum", "enum")),
    _more_values,
    _new_field,
)
NARROWING = (
    *(_move(keyword, 1) for keyword in ("minLength", "minimum")),
    *(_move(keyword, -1) for keyword in ("maxLength", "maxItems", "maximum")),
    _fewer_values,
    _new_required,
    _lose_field,
    _demand_all,
    _never_null,
    _to_integer,
)


@st.composite
def changes(draw: st.DrawFn, kinds: tuple[Callable[[Json], Any], ...]) -> tuple[Json, Json]:
    """Return a schema and the same with some changes somewhere in it."""
    old = draw(EVENTS)
    new = copy.deepcopy(old)
    for _ in range(draw(st.integers(1, 3))):
        places = range(len(parts(new)))
        change, place = draw(
            st.sampled_from([(k, p) for k in kinds for p in places if _is_change(k, parts(new)[p])])
        )
        change(parts(new)[place])
    return old, new


def _is_change(change: Callable[[Json], Any], part: Json) -> bool:
    changed = copy.deepcopy(part)
    change(changed)
    return changed != part


@given(EVENTS)
def test_nothing_changed_breaks_nothing(schema: Json) -> None:
    assert breaking_changes(schema, copy.deepcopy(schema)) == []


@given(changes(WIDENING))
def test_what_only_adds_breaks_nothing(change: tuple[Json, Json]) -> None:
    assert breaking_changes(*change) == []


def _unordered(schema: Any) -> Any:
    """Return a schema in which the order of required fields says nothing, as in JSON Schema."""
    if isinstance(schema, dict):
        inner = {name: _unordered(part) for name, part in schema.items()}
        return {**inner, "required": sorted(inner["required"])} if "required" in inner else inner
    return [_unordered(part) for part in schema] if isinstance(schema, list) else schema


@given(changes(NARROWING))
def test_what_narrows_is_named(change: tuple[Json, Json]) -> None:
    old, new = change
    assume(_unordered(old) != _unordered(new))  # a field that came and went
    assert breaking_changes(old, new) != []


@given(st.data(), changes((*WIDENING, *NARROWING)))
def test_what_passes_takes_every_document_of_the_old_version(
    data: st.DataObject, change: tuple[Json, Json]
) -> None:
    old, new = change
    assume(breaking_changes(old, new) == [])
    document = data.draw(instances(old))
    jsonschema.Draft202012Validator(old).validate(document)
    jsonschema.Draft202012Validator(new).validate(document)
