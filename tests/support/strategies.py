"""Hypothesis strategies made from the event models: any event that their types allow."""

import base64
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from pydantic import AwareDatetime, Base64Bytes, BaseModel
from pydantic.fields import FieldInfo

_MORE = 3  # elements or characters above the least: longer ones only make tests slower
_INT64 = 2**63
_LIMITS = ("min_length", "max_length", "pattern", "ge", "le")
_MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_INTEGERS = st.integers(-_INT64, _INT64 - 1)
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | _INTEGERS | _NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    AwareDatetime: _MOMENTS,
    Base64Bytes: st.binary(max_size=100).map(base64.b64encode),
    type(None): st.none(),
    bool: st.booleans(),
    float: st.floats(min_value=0, allow_nan=False, allow_infinity=False),  # all of ours are lengths
    Any: JSON,
}


def models(kind: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Return valid instances of a model, optional fields sometimes left out."""
    required = {n: _field(f) for n, f in kind.model_fields.items() if f.is_required()}
    optional = {n: _field(f) for n, f in kind.model_fields.items() if not f.is_required()}
    return st.fixed_dictionaries(required, optional=optional).map(kind.model_validate)


def _field(field: FieldInfo) -> st.SearchStrategy[Any]:
    return _of(field.annotation, field.metadata)


def _of(annotation: Any, metadata: Iterable[Any] = ()) -> st.SearchStrategy[Any]:
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _of(arguments[0], arguments[1:])
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(_of, arguments))
    limits = dict(_limits(metadata))
    if origin is tuple:
        least = limits.get("min_length", 0)
        most = min(limits.get("max_length", least + _MORE), least + _MORE)
        return st.lists(_of(arguments[0]), min_size=least, max_size=most).map(tuple)
    if origin in (dict, Mapping):
        return st.dictionaries(_of(arguments[0]), _of(arguments[1]), max_size=_MORE)
    if annotation is str:
        return _text(**limits)
    if annotation is int:
        return st.integers(limits.get("ge", -_INT64), limits.get("le", _INT64 - 1))
    return models(annotation)


def _text(
    min_length: int = 0, max_length: int = 100, pattern: str | None = None
) -> st.SearchStrategy[str]:
    if pattern is None:
        return st.text(min_size=min_length, max_size=min(max_length, min_length + _MORE))
    words = st.from_regex(pattern, fullmatch=True)
    return words.filter(lambda word: min_length <= len(word) <= max_length)


def _limits(metadata: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    for limit in metadata:
        if isinstance(limit, FieldInfo):
            yield from _limits(limit.metadata)
        for name in _LIMITS:
            if getattr(limit, name, None) is not None:
                yield name, getattr(limit, name)
