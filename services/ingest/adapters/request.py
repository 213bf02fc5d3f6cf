"""What adapters and schemes look at: one raw request, and the channel account it came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from services.ingest.domain import limits
from shared.errors import ThroughlineError

Refusal = Literal["missing", "doubled", "malformed", "wrong", "stale", "reused"]


class SignatureRefused(ThroughlineError):
    """A request is not authentic; `reason` says why, without any of the input.

    `missing`, `doubled`, `malformed`, `wrong`; `stale`: signed too long ago or ahead of time;
    `reused`: a proof that covers no body came with another body before.
    """

    def __init__(self, reason: Refusal) -> None:
        super().__init__(
            "The request's signature was refused.",
            "Sign the exact bytes with the secret of this channel account.",
        )
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request, byte for byte; header names are in lower case, in the order they came.

    `query` is the part after `?`, as sent. A mail is one too: its envelope is in the headers
    `envelope-from` and `envelope-to`.
    """

    body: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    query: str = ""

    def all(self, name: str) -> tuple[bytes, ...]:
        """Return every value of a header."""
        return tuple(value for given, value in self.headers if given == name)

    def signature(self, name: str) -> str:
        """Return the one value of a signature header, or raise `SignatureRefused`."""
        values = self.all(name)
        if not values or values == (b"",):
            raise SignatureRefused("missing")
        if len(values) > 1:
            raise SignatureRefused("doubled")
        if len(values[0]) > limits.SIGNATURE_HEADER or not values[0].isascii():
            raise SignatureRefused("malformed")
        return values[0].decode("ascii")

    def media_type(self) -> str:
        """Return the media type in lower case, without parameters; empty if there is none."""
        values = self.all("content-type")
        return values[0].decode("latin-1").partition(";")[0].strip().lower() if values else ""


@dataclass(frozen=True, slots=True)
class ChannelAccount:
    """One channel account with its secrets resolved (they never show in a `repr`).

    Each secret has one or more values: all are live, which is how they are rotated.
    """

    provider: str
    name: str
    secrets: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
