"""How providers prove that a request is theirs: one scheme each, which checks and can also make it.

A scheme is data: which header, which hash, what is signed. The conformance kit derives its attacks
from it, and `throughline sign` makes test requests with it. Comparisons take constant time,
encodings are strict, and every active secret is tried, which is how secrets are rotated.
"""

import base64
import binascii
import hashlib
import hmac
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused

TOLERANCE = timedelta(seconds=300)
"""How far a signed time may be from ours, both ways (Slack's and Standard Webhooks' own limit)."""

LONGEST_TOLERANCE = timedelta(days=3)
"""The most that `max_age_seconds` can allow: SendGrid tries for 72 hours, nobody we know longer."""

Signed = Callable[[RawRequest, ChannelAccount, str], Iterable[bytes]]
"""What is signed: given the request and the time as written, each reading the provider may use."""

_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_UNIX = re.compile(r"[0-9]{9,11}")


class Scheme(ABC):
    """How one provider proves a request. `verify` and `sign` are each other's test.

    `secrets` are the names under `secrets:` in channels.yaml that it needs. `header` is where the
    proof stands (None: not in a header), `time_header` where the signed time stands (None: in no
    header of its own). `fields` are those of the body that prove it where the proof stands there,
    the signature first, and `time_field` the one with the time. `timed` says whether a time is
    signed at all, `tolerance` how old it may be. `covers_body` says whether a changed body breaks
    the proof.
    """

    secrets: frozenset[str] = frozenset()
    header: str | None = None
    time_header: str | None = None
    fields: tuple[str, ...] = ()
    time_field: str | None = None
    tolerance: timedelta = TOLERANCE
    covers_body: bool = True

    @property
    def timed(self) -> bool:
        """Say whether a time is signed, so that an old request is refused."""
        return bool(self.time_header or self.time_field)

    @abstractmethod
    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Return if the request is the provider's, judged by its raw bytes; `SignatureRefused`."""

    @abstractmethod
    def sign(self, request: RawRequest, account: ChannelAccount, now: datetime) -> RawRequest:
        """Return the request with the proof put on, made with the first active secret."""


def with_header(request: RawRequest, name: str, value: str) -> RawRequest:
    """Return the request with one header set."""
    others = tuple(pair for pair in request.headers if pair[0] != name)
    return replace(request, headers=(*others, (name, value.encode())))


def whole_body(request: RawRequest, _account: ChannelAccount, _time: str) -> Iterable[bytes]:
    """Return the raw body: what most providers sign."""
    return (request.body,)


@dataclass(frozen=True, kw_only=True)
class Hmac(Scheme):
    """An HMAC in a header: `prefix`, then the digest of what `signed` says, in hex or base64.

    With `time_header` the time stands there, `unix` seconds or `iso` (RFC 3339), and is signed.
    """

    header: str
    secret: str
    digest: Literal["sha1", "sha256"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    signed: Signed = whole_body
    time_header: str | None = None
    time_format: Literal["unix", "iso"] = "unix"
    covers_body: bool = True

    @property
    def secrets(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.secret})

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Check the digest, then the age of the signed time."""
        given = request.signature(self.header)
        if not given.startswith(self.prefix):
            raise SignatureRefused("malformed")
        time = request.signature(self.time_header) if self.time_header else ""
        digest = decoded(given[len(self.prefix) :], self.encoding, self.digest)
        candidates = tuple(self.signed(request, account, time))
        require_any(
            hmac.compare_digest(hmac.new(secret, candidate, self.digest).digest(), digest)
            for secret in account.secrets[self.secret]
            for candidate in candidates
        )
        if self.time_header:
            require_recent(self._moment(time), now)

    def sign(self, request: RawRequest, account: ChannelAccount, now: datetime) -> RawRequest:
        """Put the digest (and the time) on."""
        time = self._written(now)
        if self.time_header:
            request = with_header(request, self.time_header, time)
        (candidate, *_) = self.signed(request, account, time)
        raw = hmac.new(account.secrets[self.secret][0], candidate, self.digest).digest()
        text = raw.hex() if self.encoding == "hex" else base64.b64encode(raw).decode()
        return with_header(request, self.header, self.prefix + text)

    def _moment(self, time: str) -> datetime:
        return unix_moment(time) if self.time_format == "unix" else iso_moment(time)

    def _written(self, now: datetime) -> str:
        if self.time_format == "unix":
            return str(int(now.timestamp()))
        return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, kw_only=True)
class Token(Scheme):
    """A shared secret in a header, equal to ours: it proves the sender, not the body.

    `prefix` is what stands before it (`Bearer `); `encoded` turns the secret into what is sent
    (basic authentication's base64).
    """

    header: str
    secret: str
    prefix: str = ""
    encoded: Callable[[bytes], bytes] = bytes
    time_header: str | None = None
    covers_body: bool = False

    @property
    def secrets(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.secret})

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Compare the token with each active one."""
        given = request.signature(self.header)
        if not given.startswith(self.prefix):
            raise SignatureRefused("malformed")
        token = given[len(self.prefix) :].encode()
        require_any(
            hmac.compare_digest(self.encoded(secret), token)
            for secret in account.secrets[self.secret]
        )

    def sign(self, request: RawRequest, account: ChannelAccount, now: datetime) -> RawRequest:
        """Put the token on."""
        token = self.encoded(account.secrets[self.secret][0]).decode()
        return with_header(request, self.header, self.prefix + token)


@dataclass(frozen=True, kw_only=True)
class Trusted(Scheme):
    """Nothing in the request proves anything: who may connect is settled before (`by`).

    For SMTP behind our own relay, for a client connection that we opened ourselves, and for doors
    that identify the sender by themselves (the chat). Never for a hook: see `Adapter`.
    """

    by: str = "network policy"
    covers_body: bool = False

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Return."""

    def sign(self, request: RawRequest, account: ChannelAccount, now: datetime) -> RawRequest:
        """Return the request as it is."""
        return request


def require_any(matches: Iterable[bool]) -> None:
    """Refuse unless one matches; looks at all of them, so that time tells nothing."""
    if not any(list(matches)):
        raise SignatureRefused("wrong")


def require_recent(moment: datetime, now: datetime, tolerance: timedelta = TOLERANCE) -> None:
    """Refuse a signed time that is too old or too far ahead."""
    if abs(now - moment) > tolerance:
        raise SignatureRefused("stale")


def tolerance_of(account: ChannelAccount) -> timedelta:
    """Return how old a signed time may be: the option `max_age_seconds`, up to a limit.

    For providers that may send an old proof again after we were away.
    """
    written = account.options.get("max_age_seconds", "")
    if not written.isascii() or not written.isdigit() or len(written) > 6:
        return TOLERANCE
    return min(timedelta(seconds=int(written)), LONGEST_TOLERANCE)


def decoded(given: str, encoding: Literal["hex", "base64"], digest: str) -> bytes:
    """Return the bytes of a digest, or refuse what is not exactly one in this encoding."""
    if encoding == "hex":
        raw = bytes.fromhex(given) if _HEX.fullmatch(given) else b""
    else:
        raw = base64_bytes(given)
    if len(raw) != hashlib.new(digest).digest_size:
        raise SignatureRefused("malformed")
    return raw


def base64_bytes(given: str) -> bytes:
    """Return what strict base64 holds, or refuse it."""
    try:
        raw = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureRefused("malformed") from None
    if base64.b64encode(raw).decode() != given:
        raise SignatureRefused("malformed")
    return raw


def unix_moment(written: str) -> datetime:
    """Return a signed Unix time in seconds, or refuse it."""
    if not _UNIX.fullmatch(written):
        raise SignatureRefused("malformed")
    return datetime.fromtimestamp(int(written), UTC)


def iso_moment(written: str) -> datetime:
    """Return a signed RFC 3339 time, or refuse it."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise SignatureRefused("malformed") from None
    if moment.tzinfo is None:
        raise SignatureRefused("malformed")
    return moment
