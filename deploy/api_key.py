"""`throughline api-key new`: a key for an integrator, shown once; its SHA-256 is configured.

A key is `<prefix>.<secret>` with 256 random bits, so that its plain SHA-256 gives nothing away.
"""

import hashlib
import re
import secrets

from shared.errors import ThroughlineError

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,33}")  # with -xxxx it is a prefix of at most 40


def new(integrator: str) -> int:
    """Print a new key, its SHA-256, and the entry for `channels.yaml`; return the exit status.

    The prefix ends in four random hex digits, so that the next key of the integrator gets another
    one and both count while it changes over.
    """
    if not _NAME.fullmatch(integrator):
        raise ThroughlineError(
            "The integrator's name is not a word.",
            "Use 1 to 34 lower-case letters, digits and hyphens, as in channels.yaml.",
        )
    prefix = f"{integrator}-{secrets.token_hex(2)}"
    key = f"{prefix}.{secrets.token_urlsafe(32)}"
    variable = f"{prefix.upper().replace('-', '_')}_SHA256"
    if variable[0].isdigit():
        variable = f"KEY_{variable}"
    print(f"key (give it to the integrator now, it is kept nowhere): {key}")
    print(f"sha256: {hashlib.sha256(key.encode()).hexdigest()}")
    print(f"\nSet {variable} to the sha256, and in channels.yaml under api_keys:\n")
    print(f"  - integrator: {integrator}\n    prefix: {prefix}\n    sha256: env:{variable}")
    print('    channel_accounts: ["PROVIDER/ACCOUNT"] # what its events may name')
    return 0
