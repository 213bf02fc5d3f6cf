"""What a change of a JSON Schema breaks, each in one sentence; nothing when it only adds.

A change breaks when something that was valid before is not any more (a writer of the old version
is refused), or when something a reader could count on is gone. In doubt it breaks: two different
patterns are not understood, only seen to differ.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]

_ANYTHING: Schema = {}
_LOWER = ("minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum")
_UPPER = ("maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum")
_OPAQUE = ("pattern", "format", "contentEncoding", "multipleOf", "uniqueItems")
_WALKED = frozenset(
    (*_LOWER, *_UPPER, *_OPAQUE, "type", "enum", "const", "anyOf", "oneOf", "properties")
) | {"required", "additionalProperties", "items", "default"}
_SAYS_NOTHING = frozenset(
    ("$schema", "$defs", "$ref", "$comment", "title", "description", "examples", "deprecated")
)
_JSON_TYPES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    dict: "object",
    list: "array",
}
_ZERO_BY_DEFAULT = ("minLength", "minItems", "minProperties")


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """Return a sentence for each thing the change from `old` to `new` breaks."""
    return list(dict.fromkeys(_Comparison(old, new).compare(old, new, "")))


@dataclass
class _Comparison:
    """Two documents, whose `$ref`s lead into themselves."""

    old_root: Schema
    new_root: Schema
    seen: set[tuple[str, str]] = field(default_factory=set)

    def compare(self, old: Any, new: Any, place: str) -> Iterator[str]:
        """Yield what breaks between two schemas at a place."""
        refs = _reference(old), _reference(new)
        if all(refs):
            if refs in self.seen:
                return
            self.seen.add(refs)
        old, new = _resolved(old, self.old_root), _resolved(new, self.new_root)
        if new is None:
            yield f"{_named(place)} is not allowed any more."
            return
        if old is None:
            return
        olds, news = _alternatives(old), _alternatives(new)
        if len(olds) == len(news) == 1:
            yield from self._one(old, new, place)
            return
        for one in olds:
            tried = [list(self._alternative(one, other, place)) for other in news]
            fewest = min(tried, key=len)
            same_type = [
                found
                for found, other in zip(tried, news, strict=True)
                if _types(_resolved(other, self.new_root) or _ANYTHING)
                == _types(_resolved(one, self.old_root) or _ANYTHING)
            ]
            if fewest and same_type:
                yield from min(same_type, key=len)
            elif fewest:
                what = _spoken(_types(_resolved(one, self.old_root) or _ANYTHING))
                yield f"{_named(place)} cannot be {what} any more."

    def _alternative(self, old: Any, new: Any, place: str) -> Iterator[str]:
        """Compare on trial: what is seen here does not count as compared."""
        trial = _Comparison(self.old_root, self.new_root, set(self.seen))
        return trial.compare(old, new, place)

    def _one(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        if lost := list(_type_changes(old, new, place)):
            yield from lost  # all else follows from that
            return
        yield from _value_changes(old, new, place)
        yield from _bound_changes(old, new, place)
        yield from self._field_changes(old, new, place)
        yield from self._item_changes(old, new, place)
        for keyword in sorted({*old, *new} - _WALKED - _SAYS_NOTHING):
            if old.get(keyword) != new.get(keyword):
                yield f"{_named(place)} says {keyword} differently."

    def _field_changes(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        always, always_now = set(old.get("required", ())), set(new.get("required", ()))
        for name in before:
            inner = _join(place, name)
            if name not in after:
                yield f"{inner} is gone."
                continue
            yield from self.compare(before[name], after[name], inner)
            yield from _default_changes(before[name], after[name], inner)
        for name in sorted(always_now - always):
            yield f"{_join(place, name)} is required now."
        for name in sorted((always - always_now) & after.keys()):
            yield f"{_join(place, name)} is not always there any more."
        rest, rest_now = old.get("additionalProperties", True), new.get("additionalProperties")
        if rest is not False and rest_now is False:
            yield f"{_named(place)} takes no unknown fields any more."
        elif rest is not False and rest_now is not None:
            yield from self.compare(rest, rest_now, _join(place, "*"))

    def _item_changes(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        if "items" in new:
            yield from self.compare(old.get("items", _ANYTHING), new["items"], f"{place}[]")


def _type_changes(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, after = _types(old), _types(new)
    if not after:
        return
    if not before:
        yield f"{_named(place)} must be {_spoken(after)} now."
    lost = {one for one in before if not _covered(one, after)}
    if lost:
        yield f"{_named(place)} was {_spoken(lost)} and must be {_spoken(after)} now."


def _value_changes(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, after = _values(old), _values(new)
    if after is None:
        return
    if before is None:
        yield f"{_named(place)} allows only certain values now."
        return
    for value in before:
        if not any(_same(value, other) for other in after):
            yield f"{_named(place)} does not allow {value!r} any more."


def _bound_changes(old: Schema, new: Schema, place: str) -> Iterator[str]:
    for keyword in _LOWER:
        least = old.get(keyword, 0 if keyword in _ZERO_BY_DEFAULT else None)
        least_now = new.get(keyword)
        if least_now is not None and (least is None or least_now > least):
            yield f"{_named(place)} has a {keyword} of {least_now} now."
    for keyword in _UPPER:
        most, most_now = old.get(keyword), new.get(keyword)
        if most_now is not None and (most is None or most_now < most):
            yield f"{_named(place)} has a {keyword} of {most_now} now."
    for keyword in _OPAQUE:
        if new.get(keyword) and new.get(keyword) != old.get(keyword):
            yield f"{_named(place)} has another {keyword} now."


def _default_changes(old: Any, new: Any, place: str) -> Iterator[str]:
    before, after = (s.get("default") if isinstance(s, Mapping) else None for s in (old, new))
    if not _same(before, after):
        yield f"{place} means {after!r} when it is left out, not {before!r}."


def _resolved(schema: Any, root: Schema) -> Schema | None:
    """Return a schema with its `$ref` followed; None for one that allows nothing."""
    if schema is True:
        return _ANYTHING
    if schema is False:
        return None
    while reference := _reference(schema):
        target: Any = root
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
    return dict(schema)


def _reference(schema: Any) -> str:
    return schema.get("$ref", "") if isinstance(schema, Mapping) else ""


def _alternatives(schema: Schema) -> list[Any]:
    """Return what a schema allows, each with what is said beside the alternatives."""
    given = schema.get("anyOf") or schema.get("oneOf")
    if not given:
        return [schema]
    beside = {k: v for k, v in schema.items() if k in _WALKED - {"anyOf", "oneOf", "default"}}
    return [{**one, **beside} for one in given] if beside else list(given)


def _types(schema: Schema) -> frozenset[str]:
    given = schema.get("type")
    if given is None:
        return frozenset(_JSON_TYPES[type(value)] for value in _values(schema) or ())
    return frozenset([given] if isinstance(given, str) else given)


def _covered(one: str, types: frozenset[str]) -> bool:
    return one in types or (one == "integer" and "number" in types)


def _values(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _spoken(types: frozenset[str] | set[str]) -> str:
    return " or ".join(sorted(types)) or "of some other kind"


def _named(place: str) -> str:
    return place or "the event"


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
