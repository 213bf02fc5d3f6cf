"""Where secrets come from: an environment variable or a file, named in `channels.yaml`."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from shared.errors import PolicyError


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
