"""`channels.yaml`: the channel accounts we listen on and the integrators we let in.

Secrets never stand in the file: it names the environment variable or the file that holds them.
"""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.errors import PolicyError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
SecretReference = Annotated[str, StringConstraints(pattern=r"^(env:[A-Za-z_]\w*|file:.+)$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ChannelAccountPolicy(_Part):
    """One mailbox, number or page: whose it is, its secrets by reference, its options.

    Several references under one secret are all accepted, which is how a secret is rotated.
    `options` are the provider's own; each adapter says which it needs.
    """

    provider: Name
    account: Name
    secrets: Mapping[str, tuple[SecretReference, ...]] = Field(default_factory=dict)
    options: Mapping[str, str] = Field(default_factory=dict)


class ApiKeyPolicy(_Part):
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


class ChannelsPolicy(_Part):
    """The whole of `channels.yaml`."""

    version: Literal[1] = 1
    channel_accounts: tuple[ChannelAccountPolicy, ...] = ()
    api_keys: tuple[ApiKeyPolicy, ...] = ()

    @model_validator(mode="after")
    def _no_doubles(self) -> "ChannelsPolicy":
        accounts = [(entry.provider, entry.account) for entry in self.channel_accounts]
        if len(set(accounts)) != len(accounts):
            raise ValueError("two channel accounts have the same provider and account")
        prefixes = [entry.prefix for entry in self.api_keys]
        if len(set(prefixes)) != len(prefixes):
            raise ValueError("two API keys have the same prefix")
        return self


def resolve_secret(
    reference: str,
    where: str,
    environment: Mapping[str, str] | None = None,
    read: Callable[[str], str] = lambda path: Path(path).read_text(encoding="utf-8"),
) -> str:
    """Return the secret a reference points to.

    Raises `PolicyError`, naming `where` and the reference but never a secret, if there is none.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        secret = (os.environ if environment is None else environment).get(name, "")
        fix = f"Set the environment variable {name}."
    else:
        try:
            secret = read(name)
        except (OSError, ValueError):
            secret = ""
        fix = f"Put the secret into the file {name} and let this process read it."
    secret = secret.strip()
    if not secret:
        raise PolicyError(f"channels.yaml: the secret {reference} of {where} is missing.", fix)
    return secret


def is_expired(key: ApiKeyPolicy, now: datetime) -> bool:
    """Say whether a key's time is over."""
    return key.expires_at is not None and key.expires_at <= now
