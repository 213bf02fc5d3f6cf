"""The envelope every message on our topics travels in: CloudEvents 1.0, structured JSON mode.

Source: CloudEvents 1.0.2, https://github.com/cloudevents/spec. Extension attributes used:
`partitionkey` (the record's key) and `causationid` (the event this one follows from).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from shared.clock import EARLIEST, LATEST, to_milliseconds
from shared.ids import derived_id

Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
"""A value from an open list, such as a channel: lower case, digits, hyphens."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]

ContactPoint = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*:.+$", min_length=3, max_length=400)
]
"""An address of a customer with its scheme, such as `tel:+38640123456`."""


Moment = Annotated[
    AwareDatetime, Field(ge=EARLIEST, le=LATEST, description="A time from 1970 to 2200.")
]
"""A time as events carry it: RFC 3339 with a zone, from 1970 to 2200: every store can hold it."""


class Record(BaseModel):
    """Base of everything inside an event: frozen, and unknown fields are ignored (additive v1)."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    _plain_defaults: ClassVar[dict[str, Any]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._plain_defaults = {
            name: field.get_default(call_default_factory=True)
            for name, field in cls.model_fields.items()
            if not field.is_required()
        }

    def in_milliseconds(self) -> Self:
        """Return the record with every time in it in UTC and cut to whole milliseconds.

        For what comes from outside; our own events are made of such times.
        """
        cut = {name: _in_milliseconds(value) for name, value in self}
        return self.model_copy(update=cut)

    @classmethod
    def trusted(cls, **fields: Any) -> Self:
        """Build one from values that are valid already, such as another event's.

        Ten times as fast as validating again; for what we decide ourselves on the hot path, never
        for what comes from outside. Defaults are shared, so they must be immutable in use.
        """
        built = cls.__new__(cls)
        object.__setattr__(built, "__dict__", {**cls._plain_defaults, **fields})
        object.__setattr__(built, "__pydantic_fields_set__", set(fields))
        object.__setattr__(built, "__pydantic_extra__", None)
        object.__setattr__(built, "__pydantic_private__", None)
        return built


def _in_milliseconds(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_milliseconds(value)
    if isinstance(value, Record):
        return value.in_milliseconds()
    if isinstance(value, tuple):
        return tuple(map(_in_milliseconds, value))
    return value


class Event(Record):
    """One fact, as it travels: what, about whom, when it counts, and from what it follows.

    `time` is the event time every outcome is decided from (aware, UTC). `partitionkey` decides
    the partition. `id` is deterministic: the same fact published twice carries the same id.
    """

    wire_type: ClassVar[str] = ""

    specversion: Literal["1.0"] = "1.0"
    id: Id
    source: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    type: str
    time: Moment
    subject: str | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    partitionkey: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    causationid: str | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        default = cls.__dict__.get("type")
        if isinstance(default, str):
            cls.wire_type = default

    @classmethod
    def following(
        cls,
        cause: str,
        data: Record,
        *,
        source: str,
        time: datetime,
        key: str,
        about: str = "",
        subject: str | None = None,
    ) -> Self:
        """Build the event that follows from the event `cause`.

        The id is made from the cause, this type and `about` (tells apart several events of one
        type with one cause), so deciding twice gives the same event.
        """
        return cls.trusted(
            id=derived_id("evt", cause, cls.wire_type, about),
            source=source,
            time=time,
            subject=subject,
            partitionkey=key,
            causationid=cause,
            data=data,
        )


class OpaqueEvent(Event):
    """An event of a type this version does not know: kept whole, never refused."""

    data: Mapping[str, Any] | None = None


class About(Record):
    """Whom a decision is about; every decision carries it, so a reader needs no other topic.

    `contact_points` are those the customer used, the one on this channel first. A customer
    without a telephone number and without an e-mail address is a normal customer.
    """

    conversation_id: Id
    channel: Word
    contact_points: Annotated[tuple[ContactPoint, ...], Field(min_length=1, max_length=50)]
    case_id: Id | None = None
    case_reference: str | None = None
