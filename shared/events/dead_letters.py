"""Dead letters: what was given up on, kept whole so that it can be put back."""

from typing import Literal

from pydantic import Base64Bytes

from shared.events.envelope import Event, Record, Word


class DeadHeader(Record):
    """One header as it came, any bytes."""

    name: str
    value: Base64Bytes | None = None


class DeadLetterData(Record):
    """The bytes, where they came from, and what went wrong.

    `origin` is `record` (then `topic`, `partition`, `offset` and `group` say which, and who gave
    up) or `request` (then `provider` and `channel_account` say whose door it came through).
    `error` is the class of error and where it struck; it never holds the input.
    """

    origin: Literal["record", "request"]
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    group: str | None = None
    provider: Word | None = None
    channel_account: str | None = None
    key: Base64Bytes | None = None
    headers: tuple[DeadHeader, ...] = ()
    body: Base64Bytes | None = None
    error: str
    code_version: str


class DeadLettered(Event):
    """Something could not be processed and was put aside."""

    type: Literal["throughline.dead-letter.recorded.v1"] = "throughline.dead-letter.recorded.v1"
    data: DeadLetterData


DEAD_LETTERS = (DeadLettered,)
