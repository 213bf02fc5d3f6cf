"""What an adapter is: a pure translator from one provider's payload to contact events.

An adapter is one file with its mapping tables at the top. It does no I/O and never asks for the
time. It names the scheme its requests are verified by before one is parsed: a class of an adapter
without one cannot even be defined, so nothing unverified can be registered.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.base import Scheme
from services.ingest.domain import limits
from shared.errors import ThroughlineError
from shared.events import Event
from shared.ids import KeyedIds


class Unparseable(ThroughlineError):
    """An authentic body makes no sense as a whole: `error` says where, never what it held."""

    def __init__(self, error: str) -> None:
        super().__init__("The body could not be understood.", "See the dead letter.")
        self.error = error


class Broken(ThroughlineError):
    """One part of a batch makes no sense: the others go on."""

    def __init__(self, error: str) -> None:
        super().__init__("A part could not be understood.", "See the dead letter.")
        self.error = error


@dataclass(frozen=True, slots=True)
class BrokenPart:
    """A part that could not be read.

    `body` is a payload of its own that holds only this part, so that a better version of the
    adapter can parse it later; `error` is the class of error, without any of the input.
    """

    body: bytes
    error: str


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes the events refer to as `blob:<id>`; they are made durable before the events."""

    id: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a payload turned into.

    `ignored` names the parts that concern no customer (a template's approval, say).
    """

    events: tuple[Event, ...] = ()
    broken: tuple[BrokenPart, ...] = ()
    ignored: tuple[str, ...] = ()
    blobs: tuple[Blob, ...] = ()


Transport = Literal["hook", "smtp", "client", "chat"]


class Adapter(ABC):
    """One provider.

    `transport` says how its payloads come: to an HTTP hook, by SMTP, over a connection that we
    open ourselves (`client`), or from our own chat. `isolated` says that its large payloads are
    translated in a process of their own, as whole mails must be. `secrets` are those of its
    scheme and `more_secrets`; `options` and `optional` are the keys under `options:` in
    channels.yaml. `max_keys` is how many keys the JSON of a request has at most, in all of it.
    `own_format` says that what comes are events of ours: what does not fit is put aside whole.
    """

    provider: ClassVar[str]
    scheme: ClassVar[Scheme]
    transport: ClassVar[Transport] = "hook"
    isolated: ClassVar[bool] = False
    media_types: ClassVar[frozenset[str]] = frozenset({"application/json"})
    max_body: ClassVar[int] = limits.BODY
    max_keys: ClassVar[int] = limits.JSON_KEYS
    more_secrets: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[frozenset[str]] = frozenset()
    optional: ClassVar[frozenset[str]] = frozenset()
    secret_headers: ClassVar[frozenset[str]] = frozenset()
    own_format: ClassVar[bool] = False
    answer: ClassVar[tuple[str, bytes]] = ("application/json", b"{}")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if getattr(cls, "scheme", None) is None:
            raise TypeError(f"{cls.__name__} has no scheme: it could not verify anything")
        if cls.transport == "hook" and not (cls.scheme.secrets or cls.scheme.header):
            raise TypeError(f"{cls.__name__} would open a hook that verifies nothing")

    @property
    def secrets(self) -> frozenset[str]:
        """Return the names of the secrets a channel account must have."""
        return self.scheme.secrets | self.more_secrets

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Return if the request is authentic, judged by its raw bytes; else `SignatureRefused`."""
        self.scheme.verify(request, account, now)

    @abstractmethod
    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate an authentic request; raise nothing but `Unparseable`."""

    def challenge(self, query: str, account: ChannelAccount) -> bytes | None:
        """Answer a provider's GET challenge; None if this provider has none.

        Raises `SignatureRefused` for a challenge that is not the provider's.
        """
        return None

    def reply(self, request: RawRequest, account: ChannelAccount) -> tuple[str, bytes]:
        """Return the media type and body that answer an accepted request."""
        return self.answer

    def once(self, request: RawRequest) -> str | None:
        """Return what may come with one body only, where the proof does not cover the body.

        Asked after `verify`. The same value with another body is refused as `reused`.
        """
        return None
