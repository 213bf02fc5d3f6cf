"""Bytes to events and back, once on the way in and once on the way out."""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Union

from pydantic import Field, TypeAdapter, ValidationError

from shared.events.envelope import Event, OpaqueEvent
from shared.events.topics import BY_NAME

_OPAQUE = TypeAdapter(OpaqueEvent)
_UNKNOWN_TYPE = "union_tag_invalid"
_ONE_TYPE_ONLY = "literal_error"


class Undecodable(ValueError):
    """Bytes that are no event; the text says where and why, and never holds the input."""


@cache
def _adapter(topic: str) -> TypeAdapter[Any]:
    events = BY_NAME[topic].events
    if len(events) == 1:
        return TypeAdapter(events[0])
    union = Union[events]  # type: ignore[valid-type]  # noqa: UP007 - built from the catalogue
    return TypeAdapter(Annotated[union, Field(discriminator="type")])


def decode(topic: str, value: bytes | None) -> Event:
    """Return the event that a record of `topic` holds.

    A type this version does not know becomes an `OpaqueEvent`. Raises `Undecodable` for bytes that
    are not JSON, not a CloudEvent, or break the model of their type.
    """
    if value is None:
        raise Undecodable("the record has no value")
    try:
        event: Event = _validate(topic)(value)
    except ValidationError as error:
        if _is_unknown_type(error):
            return _decode_opaque(value)
        raise Undecodable(_describe(error)) from None
    return event


@cache
def _validate(topic: str) -> Callable[[bytes], Event]:
    """Return the validation itself, without the layers of TypeAdapter that only pass options."""
    validate: Callable[[bytes], Event] = _adapter(topic).validator.validate_json
    return validate


def encode(event: Event) -> bytes:
    """Return the event as one CloudEvent in JSON (structured mode), without empty fields."""
    return event.__pydantic_serializer__.to_json(event, exclude_none=True)


def _decode_opaque(value: bytes) -> OpaqueEvent:
    try:
        return _OPAQUE.validate_json(value)
    except ValidationError as error:
        raise Undecodable(_describe(error)) from None


def _is_unknown_type(error: ValidationError) -> bool:
    return any(
        detail["type"] == _UNKNOWN_TYPE
        or (detail["type"] == _ONE_TYPE_ONLY and detail["loc"] == ("type",))
        for detail in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _describe(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    first = details[0]
    place = ".".join(str(part) for part in first["loc"]) or "the record"
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{place}: {first['type']}{more}"
