"""Adapters and channel accounts as named on the command line, for the commands about one."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.ingest.adapters.contract import Adapter
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.conformance.folder import ABOUT, Folder
from services.ingest.secret_references import resolve_secret
from shared.errors import ThroughlineError

PAYLOADS = Path("tests/support/payloads")
"""Where a checkout keeps the payloads of the registered adapters."""


class WrongInput(ThroughlineError):
    """A command was given what it cannot use: exit status 2."""


def find_adapter(named: str) -> Adapter:
    """Return a registered adapter by its provider, or another by `module:Class`."""
    module, separator, name = named.partition(":")
    if separator:
        return _imported(module, name)
    if named not in ADAPTERS:
        raise WrongInput(
            f"There is no adapter {named!r}.",
            f"Use one of {', '.join(sorted(ADAPTERS))}, or module:Class for one of your own.",
        )
    return ADAPTERS[named]


def _imported(module: str, name: str) -> Adapter:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # an installed command does not look where it is called
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise WrongInput(
            f"{module}:{name} cannot be imported ({type(error).__name__}).",
            "Name a module that Python finds from here, and a class in it.",
        ) from None
    if not isinstance(found, type) or not issubclass(found, Adapter):
        raise WrongInput(f"{module}:{name} is no adapter.", "Derive the class from `Adapter`.")
    return found()


def find_folder(adapter: Adapter, given: str | None) -> Folder:
    """Return the payload folder that was named, or the one a checkout keeps for a provider."""
    place = Path(given) if given else PAYLOADS / adapter.provider
    if not (place / ABOUT).is_file():
        raise WrongInput(
            f"There is no payload folder {place} (one with {ABOUT} in it).",
            "Name it with --payloads; see docs/howto/add-a-channel.md.",
        )
    return Folder(adapter.provider, place)


def account_of(
    adapter: Adapter, name: str, secrets: Sequence[str], options: Sequence[str]
) -> ChannelAccount:
    """Return a channel account from `NAME=VALUE` pairs; several values of a secret are all live.

    A value `env:NAME` or `file:PATH` is looked up, so that no secret need be on a command line.
    """
    live: dict[str, tuple[bytes, ...]] = {}
    for key, value in map(_pair, secrets):
        live[key] = (*live.get(key, ()), _secret(value).encode())
    if missing := sorted(adapter.scheme.secrets - set(live)):
        raise WrongInput(
            f"The secret {missing[0]} of {adapter.provider} is missing.",
            f"Give --secret {missing[0]}=VALUE (or =env:NAME, =file:PATH).",
        )
    return ChannelAccount(adapter.provider, name, live, dict(map(_pair, options)))


def require_options(adapter: Adapter, account: ChannelAccount) -> None:
    """Refuse an account without the options that its adapter needs."""
    if missing := sorted(adapter.options - set(account.options)):
        raise WrongInput(
            f"The option {missing[0]} of {adapter.provider} is missing.",
            f"Give --option {missing[0]}=VALUE.",
        )


def _pair(written: str) -> tuple[str, str]:
    name, separator, value = written.partition("=")
    if not separator or not name or not value:
        raise WrongInput("A secret or option has no name or value.", "Write it as NAME=VALUE.")
    return name, value


def _secret(value: str) -> str:
    if value.startswith(("env:", "file:")):
        return resolve_secret(value, "the command line")
    return value


def request_of(
    adapter: Adapter, body: bytes, headers: Sequence[str], query: str = ""
) -> RawRequest:
    """Return a request; without a content type it has the provider's first one."""
    given = tuple(map(_header, headers))
    if not any(name == "content-type" for name, _ in given):
        given = (("content-type", sorted(adapter.media_types)[-1].encode()), *given)
    return RawRequest(body, given, query)


def _header(written: str) -> tuple[str, bytes]:
    name, separator, value = written.partition(":")
    if not separator or not name.strip():
        raise WrongInput("A header has no name.", "Write it as --header 'Name: value'.")
    return name.strip().lower(), value.strip().encode()


def known(adapters: Mapping[str, Adapter] = ADAPTERS) -> list[str]:
    """Return the providers of every registered adapter."""
    return sorted(adapters)
