"""From `channels.yaml` to channel accounts and API keys with their secrets resolved."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.ingest.adapters.contract import Adapter, ChannelAccount
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.domain.channels import (
    ApiKeyPolicy,
    ChannelAccountPolicy,
    ChannelsPolicy,
)
from services.ingest.secret_references import resolve_secret
from shared.errors import PolicyError

_HEX_SHA256 = 64


@dataclass(frozen=True, slots=True)
class Door:
    """One channel account together with the adapter that stands at it."""

    adapter: Adapter
    account: ChannelAccount


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
    _require(where, "secrets", frozenset(entry.secrets), adapter.secrets, frozenset())
    _require(where, "options", frozenset(entry.options), adapter.options, adapter.optional)
    secrets = {
        name: tuple(resolve_secret(ref, where, environment).encode() for ref in references)
        for name, references in entry.secrets.items()
    }
    if empty := sorted(name for name, values in secrets.items() if not values):
        raise PolicyError(f"channels.yaml: secrets.{empty[0]} of {where} is empty.", "List one.")
    return Door(adapter, ChannelAccount(entry.provider, entry.account, secrets, entry.options))


def _require(
    where: str,
    part: str,
    given: frozenset[str],
    needed: frozenset[str],
    optional: frozenset[str],
) -> None:
    if missing := sorted(needed - given):
        raise PolicyError(
            f"channels.yaml: {part}.{missing[0]} of {where} is missing.", f"Add it under {part}."
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
