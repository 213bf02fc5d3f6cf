"""What a sender is: a pure translator from a reply to one provider's request, and of its answer.

A sender is one file beside the adapter of the same provider. It does no I/O: the outbox of replies
makes the calls, with time-outs, back-off and a circuit breaker for each channel account. Where an
account has the option `api_url`, they go to that base instead of the provider's (a test stand-in,
an internal proxy): a sender need not know.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.numbers import digits
from services.ingest.domain.outcomes import Later, Outcome, Refused, Sent, Unclear

API_URL = "api_url"
"""The option of any channel account that names another base for its sender's calls."""

__all__ = [
    "API_URL",
    "Answer",
    "Call",
    "File",
    "Later",
    "Mail",
    "NotSendable",
    "Outcome",
    "Refused",
    "Reply",
    "Sender",
    "Sent",
    "Signer",
    "Unclear",
    "retry_after",
]


@dataclass(frozen=True, slots=True)
class File:
    """A file that goes with a reply: `reference` is an https address, or our own `blob:` id.

    `content` holds its bytes for a sender that `carries` files, None for all others.
    """

    reference: str
    media_type: str = "application/octet-stream"
    name: str | None = None
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, with what its conversation tells of where it goes.

    `reply_id` is the same however often the reply is tried: it is the idempotency key to give.
    `text` is empty where only `files` go.
    `reply_to` is the provider's own address of the last contact event that gave one, or None;
    `contact_points` are those of the customer. `thread` holds the provider's message ids of the
    conversation, oldest first (an e-mail's References). `in_reply_to` is the message that is
    answered. `template` names an approved template where the provider knows such, and
    `template_parameters` fill the gaps of its text, in order. `plus_token`
    names the conversation in a plus-address, so that the answer finds it.
    """

    reply_id: str
    conversation_id: str
    contact_points: tuple[str, ...]
    sender: Literal["agent", "bot", "system"]
    text: str
    created_at: datetime
    reply_to: str | None = None
    html: str | None = None
    files: tuple[File, ...] = ()
    subject: str | None = None
    in_reply_to: str | None = None
    thread: tuple[str, ...] = ()
    case_reference: str | None = None
    agent_id: str | None = None
    template: str | None = None
    template_parameters: tuple[str, ...] = ()
    language: str | None = None
    plus_token: str | None = None
    message_token: str | None = None


class Signer(ABC):
    """Proves a call by something that needs the time, as late as the call is made."""

    @abstractmethod
    def sign(self, call: "Call", now: datetime) -> Mapping[str, str]:
        """Return the headers that prove the call, as it goes out at this moment."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request to a provider; what may hold credentials never shows in a repr.

    `headers` do, and so does the address for Telegram. A `signer` adds headers to each attempt:
    the call itself is the same whenever it is tried.
    """

    url: str = field(repr=False)
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: Literal["POST", "PUT", "PATCH", "GET"] = "POST"
    signer: Signer | None = field(default=None, repr=False)

    def signed(self, now: datetime) -> "Call":
        """Return the call as it goes out at this moment."""
        if self.signer is None:
            return self
        return replace(self, headers={**self.headers, **self.signer.sign(self, now)})


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to hand in by SMTP submission; `message_id` is what its receipts will call it."""

    host: str
    port: int
    envelope_from: str
    envelope_to: str
    content: bytes
    message_id: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Own:
    """A reply that leaves through our own chat: no provider is called."""

    reply: Reply


Composed = Call | Mail | Own


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


class NotSendable(Exception):
    """A reply cannot be put in this provider's words; the message says what to send instead."""


class Sender(ABC):
    """One provider's way out.

    `secrets` and `options` are names in channels.yaml that sending needs beyond what receiving
    does; a channel account without them only receives. `window` says that outside the service
    window only what `allowed` names may go: `template`, which is refused where it is not named.
    `repeatable` says that the provider recognises a repeated call (an idempotency key), so that
    one whose outcome is unknown may be made again. `hosts` are the only ones its calls may go to.
    `longest` is the most characters of a text. `carries` says that it needs the bytes of files: to
    send them along, or to count them.
    `automatic_per_hour` is how many replies of bots and systems one recipient gets at most.

    A channel account has all of `secrets` and `options` or none of them; `optional_secrets` and
    `optional` it may have beside them.
    """

    provider: ClassVar[str]
    hosts: ClassVar[frozenset[str]]
    secrets: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[frozenset[str]] = frozenset()
    optional_secrets: ClassVar[frozenset[str]] = frozenset()
    optional: ClassVar[frozenset[str]] = frozenset()
    window: ClassVar[bool] = False
    allowed: ClassVar[tuple[str, ...]] = ()
    repeatable: ClassVar[bool] = False
    longest: ClassVar[int] = 4_000
    carries: ClassVar[bool] = False
    automatic_per_hour: ClassVar[int | None] = None

    @abstractmethod
    def compose(self, reply: Reply, account: ChannelAccount) -> Composed:
        """Return the call (or mail) that sends the reply; raise `NotSendable`.

        Asked when a reply is taken in, to refuse what can never go, and again whenever it is
        tried: the same reply must give the same call.
        """

    def prepare(
        self, reply: Reply, account: ChannelAccount, answers: Sequence[Answer]
    ) -> Call | None:
        """Return the next preparatory call, None when all are made.

        Such a call goes before the one that sends: it uploads a file, say. It shows the customer
        nothing, so it may be repeated, and whatever becomes of it, the reply was not sent.
        `answers` are those to the calls so far, in order, each a good one (`unprepared`). An
        address that an answer names is followed to `hosts` only. Raises `NotSendable` for an
        answer that cannot be used.
        """
        return None

    def compose_prepared(
        self, reply: Reply, account: ChannelAccount, answers: Sequence[Answer]
    ) -> Composed:
        """Return the call that sends the reply, given the answers to all that `prepare` wanted."""
        return self.compose(reply, account)

    def unprepared(self, answer: Answer) -> Later | Refused | None:
        """Return why a preparatory call did not do its work, None if it did.

        There is nothing unclear about it: what broke on the way can be tried again.
        """
        if 200 <= answer.status < 300:
            return None
        if answer.status == 429 or answer.status >= 500:
            return Later(f"HTTP {answer.status}", retry_after(answer))
        return Refused(self.problem(answer))

    def read(self, answer: Answer) -> Outcome:
        """Return what an answer means: by default by its status, with the id from `message_id`.

        429 and 503 say that nothing was done; after any other 5xx nobody knows.
        """
        if answer.status in (429, 503):
            return Later(f"HTTP {answer.status}", retry_after(answer))
        if answer.status >= 500:
            return Unclear(f"HTTP {answer.status}")
        if 200 <= answer.status < 300:
            found = self.message_id(answer)
            return Sent(found) if found else Unclear("the provider's answer names no message")
        return Refused(self.problem(answer))

    def download(self, reference: str, account: ChannelAccount) -> Call | None:
        """Return the request that fetches a customer's file, with what proves who we are.

        By default a plain one for an https reference on the provider's own hosts; None where
        there is no such way.
        """
        return Call(reference, b"", method="GET") if reference.startswith("https://") else None

    @abstractmethod
    def message_id(self, answer: Answer) -> str | None:
        """Return the provider's id of the message from its good answer."""

    def problem(self, answer: Answer) -> str:
        """Return why the provider refused, in its own code or word."""
        return f"HTTP {answer.status}"


def retry_after(answer: Answer) -> timedelta | None:
    """Return how long the provider asks us to wait (Retry-After in seconds), if it does."""
    seconds = digits(answer.headers.get("retry-after"))
    return None if seconds is None else timedelta(seconds=min(seconds, 3600))
