"""`channels.yaml`: the channel accounts we listen on and the integrators we let in.

Secrets never stand in the file: it names the environment variable or the file that holds them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from shared.policy import KeyProblems, PolicyModel

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
SecretReference = Annotated[str, StringConstraints(pattern=r"^(env:[A-Za-z_]\w*|file:.+)$")]


class ChannelAccountPolicy(PolicyModel):
    """One mailbox, number or page: whose it is, its secrets by reference, its options.

    Several references under one secret are all accepted, which is how a secret is rotated.
    `options` are the provider's own; each adapter says which it needs.
    """

    provider: Name
    account: Name
    secrets: Mapping[str, tuple[SecretReference, ...]] = Field(default_factory=dict)
    options: Mapping[str, str] = Field(default_factory=dict)


class Permission(PolicyModel):
    """What an integrator may send.

    `channel_accounts` are the ones its contact events may name, as `provider/account`, `*` for all.
    `customer_records` says whether it may tell us about customers, and so link contact points of
    anybody's: give it to systems of record only. Without it an event has one contact point, and
    none becomes another.
    `trusted_time` says whether the integrator's own times count as event times.
    """

    integrator: Name
    channel_accounts: tuple[str, ...] = ("*",)
    customer_records: bool = False
    trusted_time: bool = True


class ApiKeyPolicy(Permission):
    """One key of an integrator, kept as its SHA-256 only.

    A key is written `<prefix>.<secret>`; `sha256` refers to the hex digest of the whole key. An
    integrator may have several keys, which is how a key is rotated.
    """

    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{2,40}$")]
    sha256: SecretReference
    expires_at: AwareDatetime | None = None


class InboxPolicy(Permission):
    """One source that is taken from the topic `contact-inbox`.

    `source` is that of its CloudEvents, exactly, or the beginning of it followed by `*`. Whoever
    may write to the topic can claim any of the sources: only Kafka's own access rules keep them
    apart.
    """

    source: Annotated[str, StringConstraints(pattern=r"^[^*]*\*?$", min_length=1, max_length=512)]

    def fits(self, source: str) -> bool:
        """Say whether an event of this source is meant."""
        if self.source.endswith("*"):
            return source.startswith(self.source[:-1])
        return source == self.source


class RatePolicy(PolicyModel):
    """How much one integrator may send over HTTP to one process of ingest, all its keys together.

    A minute's worth may come at once, after that as much as flows in again.
    """

    integrator: Name
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    events_per_minute: Annotated[int, Field(ge=1)] | None = None


class ChannelsPolicy(PolicyModel):
    """The whole of `channels.yaml`."""

    version: Literal[1] = 1
    channel_accounts: tuple[ChannelAccountPolicy, ...] = ()
    api_keys: tuple[ApiKeyPolicy, ...] = ()
    inbox: tuple[InboxPolicy, ...] = ()
    rates: tuple[RatePolicy, ...] = ()

    def channel_account(self, provider: str, account: str) -> ChannelAccountPolicy | None:
        """Return the entry of a channel account, or None."""
        named = (e for e in self.channel_accounts if (e.provider, e.account) == (provider, account))
        return next(named, None)

    @model_validator(mode="after")
    def _no_doubles(self) -> "ChannelsPolicy":
        accounts = [f"{entry.provider}/{entry.account}" for entry in self.channel_accounts]
        prefixes = [entry.prefix for entry in self.api_keys]
        sources = [entry.source for entry in self.inbox]
        rated = [entry.integrator for entry in self.rates]
        problems = [
            ((part, index), f"{name} is there twice; keep one")
            for part, names in (
                ("channel_accounts", accounts),
                ("api_keys", prefixes),
                ("inbox", sources),
                ("rates", rated),
            )
            for index, name in enumerate(names)
            if name in names[:index]
        ]
        if problems:
            raise KeyProblems(*problems)
        return self


def is_expired(key: ApiKeyPolicy, now: datetime) -> bool:
    """Say whether a key's time is over."""
    return key.expires_at is not None and key.expires_at <= now


def permission_of(inbox: Iterable[InboxPolicy], source: str) -> InboxPolicy | None:
    """Return the entry of a source: of those that fit the one that says the most, or None."""
    fitting = [entry for entry in inbox if entry.fits(source)]
    return max(
        fitting, key=lambda entry: (len(entry.source.rstrip("*")), -len(entry.source)), default=None
    )
