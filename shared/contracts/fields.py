"""From a JSON Schema to the rows of a table a person reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_DEPTH = 6  # our own models are four deep; a schema that leads into itself ends here
_LISTED = 6  # values; more than that are for the schema to tell
_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "minimum": "{} or more",
    "maximum": "{} or less",
    "exclusiveMinimum": "above {}",
    "exclusiveMaximum": "below {}",
    "pattern": "matches {}",
    "default": "{} if left out",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One row: the path of a field, its type, whether it is always there, and its limits."""

    path: str
    type: str
    always: bool
    limits: str


def fields(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> list[Field]:
    """Return every field of a schema, those of nested records by their paths.

    `root` is the document that `$ref`s lead into, the schema itself if it is None.
    """
    root = schema if root is None else root
    return list(_rows(schema, root, "", _DEPTH))


def type_of(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """Return a schema's type in a word or two, such as `list of text`."""
    resolved = _resolved(schema, root)
    if "const" in resolved:
        return f"“{resolved['const']}”"
    if "enum" in resolved:
        values = resolved["enum"]
        if len(values) > _LISTED:
            return f"one of {len(values)} values"
        return " or ".join(f"“{value}”" for value in values)
    if alternatives := resolved.get("anyOf") or resolved.get("oneOf"):
        return " or ".join(dict.fromkeys(type_of(one, root) for one in alternatives))
    if resolved.get("type") == "array":
        return f"list of {type_of(resolved.get('items', {}), root)}"
    if resolved.get("type") == "string":
        return {"date-time": "time", "base64": "bytes in base64"}.get(
            resolved.get("format", ""), "text"
        )
    plain = {"integer": "whole number", "boolean": "true or false", "object": "record"}
    named = str(resolved.get("type", "anything"))
    return plain.get(named, named)


def _rows(
    schema: Mapping[str, Any], root: Mapping[str, Any], path: str, depth: int
) -> Iterator[Field]:
    record = _record(schema, root)
    if record is None or depth == 0:
        return
    required = record.get("required", ())
    for name, inner in record.get("properties", {}).items():
        place = f"{path}.{name}" if path else name
        yield Field(place, type_of(inner, root), name in required, _limits(inner, root))
        resolved = _bare(inner, root)
        items = resolved.get("items")
        if items is not None:
            yield from _rows(items, root, f"{place}[]", depth - 1)
        else:
            yield from _rows(inner, root, place, depth - 1)


def _record(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    resolved = _bare(schema, root)
    return resolved if "properties" in resolved else None


def _limits(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    given = {**_bare(schema, root), **schema}
    found = [
        "not empty"
        if (keyword, given[keyword]) == ("minLength", 1)
        else words.format(given[keyword])
        for keyword, words in _LIMITS.items()
        if given.get(keyword) not in (None, [], {})
    ]
    return ", ".join(found)


def _bare(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema without its reference, and without the null it may be instead."""
    resolved = _resolved(schema, root)
    others = [one for one in resolved.get("anyOf", ()) if one.get("type") != "null"]
    return _resolved(others[0], root) if len(others) == 1 else resolved


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    target: Any = root
    for step in reference[2:].split("/"):
        target = target[step]
    return _resolved(target, root)
