"""`channels.yaml`: the channel accounts we listen on and the integrators we let in.

Secrets never stand in the file: it names the environment variable or the file that holds them.
"""

from collections.abc import Mapping
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


class ApiKeyPolicy(PolicyModel):
    """One key of an integrator, kept as its SHA-256 only.

    A key is written `<prefix>.<secret>`; `sha256` refers to the hex digest of the whole key.
    `channel_accounts` are the ones its events may name, as `provider/account`, `*` for all.
    `trusted_time` says whether the integrator's own times count as event times.
    """

    integrator: Name
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{2,40}$")]
    sha256: SecretReference
    expires_at: AwareDatetime | None = None
    channel_accounts: tuple[str, ...] = ("*",)
    trusted_time: bool = True


class ChannelsPolicy(PolicyModel):
    """The whole of `channels.yaml`."""

    version: Literal[1] = 1
    channel_accounts: tuple[ChannelAccountPolicy, ...] = ()
    api_keys: tuple[ApiKeyPolicy, ...] = ()

    def channel_account(self, provider: str, account: str) -> ChannelAccountPolicy | None:
        """Return the entry of a channel account, or None."""
        named = (e for e in self.channel_accounts if (e.provider, e.account) == (provider, account))
        return next(named, None)

    @model_validator(mode="after")
    def _no_doubles(self) -> "ChannelsPolicy":
        accounts = [f"{entry.provider}/{entry.account}" for entry in self.channel_accounts]
        prefixes = [entry.prefix for entry in self.api_keys]
        problems = [
            ((part, index), f"{name} is there twice; keep one")
            for part, names in (("channel_accounts", accounts), ("api_keys", prefixes))
            for index, name in enumerate(names)
            if name in names[:index]
        ]
        if problems:
            raise KeyProblems(*problems)
        return self


def is_expired(key: ApiKeyPolicy, now: datetime) -> bool:
    """Say whether a key's time is over."""
    return key.expires_at is not None and key.expires_at <= now
