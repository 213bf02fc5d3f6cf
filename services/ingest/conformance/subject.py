"""What is examined: one adapter, with its payload folder, at one moment."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from services.ingest.adapters.contract import Adapter, Parsed
from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.base import Trusted
from services.ingest.conformance.folder import Folder
from shared.events import Event
from shared.ids import KeyedIds

MOMENT = datetime(2026, 11, 3, 9, 15, tzinfo=UTC)
"""When every request of the kit arrives: the same run gives the same report."""


class Failed(Exception):
    """The adapter does not do what it must; the message says what, without any of the input."""


class Absent(Exception):
    """A check has nothing to look at; the message says why."""


@dataclass(frozen=True)
class Subject:
    """One adapter and what is needed to examine it."""

    adapter: Adapter
    folder: Folder
    now: datetime = MOMENT
    ids: KeyedIds = field(default_factory=lambda: KeyedIds("a key for examinations only"))

    @property
    def account(self) -> ChannelAccount:
        """Return the channel account of the payload folder."""
        return self.folder.account()

    @property
    def proves(self) -> bool:
        """Say whether requests prove anything by themselves."""
        return not isinstance(self.adapter.scheme, Trusted)

    def payload(self, what: str) -> RawRequest:
        """Return the unsigned request that shows a thing; `Absent` if none does."""
        name = self.folder.shown(what)
        if name is None:
            raise Absent("no payload shows it")
        return self.request(name)

    def plain(self) -> RawRequest:
        """Return the customer's plain message (or call, or form), unsigned; every folder has it."""
        try:
            return self.payload("message")
        except Absent:
            raise Failed("`shows` in account.json names no message") from None

    def request(self, name: str) -> RawRequest:
        """Return one payload as an unsigned request."""
        return RawRequest(self.folder.body(name), self.folder.headers(name))

    def sign(self, request: RawRequest) -> RawRequest:
        """Return the request as the provider signs it now."""
        return self.adapter.scheme.sign(request, self.account, self.now)

    def accepts(self, request: RawRequest) -> bool:
        """Say whether the request is authentic; any error but a refusal is a failure."""
        try:
            self.adapter.verify(request, self.account, self.now)
        except SignatureRefused:
            return False
        except Exception as error:
            raise Failed(f"verify raised {type(error).__name__}") from error
        return True

    def parse(self, request: RawRequest, **changes: object) -> Parsed:
        """Return what the adapter makes of a request; `received_at` or `account` may be others."""
        given = {"account": self.account, "received_at": self.now, **changes}
        return self.adapter.parse(
            request,
            given["account"],  # type: ignore[arg-type]
            given["received_at"],  # type: ignore[arg-type]
            self.ids,
        )

    def understood(self, request: RawRequest, **changes: object) -> Parsed:
        """Return what the adapter makes of a request that it must understand."""
        try:
            return self.parse(request, **changes)
        except Exception as error:
            raise Failed(f"parse raised {type(error).__name__}{_detail(error)}") from error

    def shown(self, what: str) -> tuple[Event, ...]:
        """Return the events of the payload that shows a thing."""
        return self.understood(self.payload(what)).events


def _detail(error: Exception) -> str:
    named = getattr(error, "error", None)  # Unparseable says where, never what
    return f" ({named})" if isinstance(named, str) else ""


def data_of(event: Event) -> Any:
    """Return the data of an event, whatever its type."""
    return event.data  # type: ignore[attr-defined]


def with_body(request: RawRequest, body: bytes) -> RawRequest:
    """Return the request with another body."""
    return replace(request, body=body)


def require(holds: bool, otherwise: str) -> None:
    """Fail unless something holds."""
    if not holds:
        raise Failed(otherwise)
