"""From `channels.yaml` to channel accounts and API keys with their secrets resolved."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.ingest.adapters.contract import Adapter
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.channels import (
    ApiKeyPolicy,
    ChannelAccountPolicy,
    ChannelsPolicy,
)
from services.ingest.secret_references import resolve_secret
from services.ingest.senders.contract import API_URL, Sender
from services.ingest.senders.registry import SENDERS
from shared.errors import PolicyError

_HEX_SHA256 = 64


@dataclass(frozen=True, slots=True)
class Door:
    """One channel account together with the adapter that stands at it.

    `sender` is its way out, None where it only receives.
    """

    adapter: Adapter
    account: ChannelAccount
    sender: Sender | None = None


Doors = Mapping[tuple[str, str], Door]


def open_doors(policy: ChannelsPolicy, environment: Mapping[str, str] | None = None) -> Doors:
    """Return the doors by provider and account; raise `PolicyError` for what cannot be opened."""
    return {
        (entry.provider, entry.account): _open(entry, environment)
        for entry in policy.channel_accounts
    }


def _open(entry: ChannelAccountPolicy, environment: Mapping[str, str] | None) -> Door:
    where = f"channel account {entry.provider}/{entry.account}"
    adapter = ADAPTERS.get(entry.provider)
    if adapter is None:
        raise PolicyError(
            f"channels.yaml: {where} has an unknown provider.",
            f"Use one of {', '.join(sorted(ADAPTERS))}.",
        )
    sender = _sender(where, entry, adapter)
    needed = _Names(adapter.secrets, adapter.options, optional=adapter.optional)
    _require(where, entry, needed.and_for(sender))
    secrets = {
        name: tuple(resolve_secret(ref, where, environment).encode() for ref in references)
        for name, references in entry.secrets.items()
    }
    if empty := sorted(name for name, values in secrets.items() if not values):
        raise PolicyError(f"channels.yaml: secrets.{empty[0]} of {where} is empty.", "List one.")
    account = ChannelAccount(entry.provider, entry.account, secrets, entry.options)
    return Door(adapter, account, sender)


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of secrets and options that must or may be there."""

    secrets: frozenset[str]
    options: frozenset[str]
    optional_secrets: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()

    def and_for(self, sender: Sender | None) -> "_Names":
        """Return the names that receiving and sending need together."""
        if sender is None:
            return self
        return _Names(
            self.secrets | sender.secrets,
            self.options | sender.options,
            sender.optional_secrets,
            self.optional | sender.optional | {API_URL},
        )


def _sender(where: str, entry: ChannelAccountPolicy, adapter: Adapter) -> Sender | None:
    """Return the way out of a channel account that has what its sender needs, or None."""
    sender = SENDERS.get(entry.provider)
    if sender is None:
        return None
    needed = sender.secrets | sender.options
    known = adapter.secrets | adapter.options | adapter.optional
    own = (needed | sender.optional_secrets | sender.optional | {API_URL}) - known
    given = frozenset(entry.secrets) | frozenset(entry.options)
    # all or none: half of it is a mistake that would show only when somebody answers
    return sender if needed <= given or own & given else None


def _require(where: str, entry: ChannelAccountPolicy, names: _Names) -> None:
    parts = (
        ("secrets", frozenset(entry.secrets), names.secrets, names.optional_secrets),
        ("options", frozenset(entry.options), names.options, names.optional),
    )
    for part, given, needed, optional in parts:
        if missing := sorted(needed - given):
            raise PolicyError(
                f"channels.yaml: {part}.{missing[0]} of {where} is missing.",
                f"Add it under {part}.",
            )
        if unknown := sorted(given - needed - optional):
            raise PolicyError(
                f"channels.yaml: {part}.{unknown[0]} of {where} is unknown.",
                f"Remove it; {part} are {', '.join(sorted(needed | optional)) or 'none'}.",
            )


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One integrator's key: the digest it must have and what it allows."""

    policy: ApiKeyPolicy
    digest: str


def load_keys(
    policy: ChannelsPolicy, environment: Mapping[str, str] | None = None
) -> Mapping[str, ApiKey]:
    """Return the API keys by prefix; raise `PolicyError` for a digest that is none."""
    keys = {}
    for entry in policy.api_keys:
        where = f"API key {entry.prefix}"
        digest = resolve_secret(entry.sha256, where, environment).lower()
        if len(digest) != _HEX_SHA256 or not set(digest) <= set("0123456789abcdef"):
            raise PolicyError(
                f"channels.yaml: the sha256 of {where} is not 64 hexadecimal digits.",
                "Give the SHA-256 of the whole key, in hex.",
            )
        keys[entry.prefix] = ApiKey(entry, digest)
    return keys
