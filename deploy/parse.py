"""`throughline parse`: what a provider's payload becomes, without a Kafka or a database."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.channels import ChannelsPolicy
from services.ingest.parse import parse_payload
from shared.clock import to_milliseconds
from shared.errors import ThroughlineError
from shared.events import encode
from shared.events.dead_letters import DeadLettered
from shared.ids import KeyedIds
from shared.policy import load_policy

_PREVIEW_KEY = "preview: ids differ from a deployment's"


def parse(provider: str, account: str, headers: Sequence[str], body: bytes) -> int:
    """Print one CloudEvent in JSON a line; status 2 and one line on stderr if nothing can be read.

    Ids are those of the deployment when `THROUGHLINE_ID_KEY` is set, else of a preview.
    """
    ids = KeyedIds(os.environ.get("THROUGHLINE_ID_KEY") or _PREVIEW_KEY)
    now = to_milliseconds(datetime.now(UTC))
    try:
        given = [_header(written) for written in headers]
        events = parse_payload(provider, _account(provider, account), body, now, ids, given)
    except ThroughlineError as error:
        print(f"throughline: {error}", file=sys.stderr)
        return 2
    broken = [event for event in events if isinstance(event, DeadLettered)]
    for event in events:
        if not isinstance(event, DeadLettered):
            sys.stdout.write(encode(event).decode() + "\n")
    if broken:
        print(
            f"throughline: {len(broken)} of {len(events)} parts cannot be parsed "
            f"({broken[0].data.error}). Compare with docs/channels/{provider}.md.",
            file=sys.stderr,
        )
        return 2
    return 0


def _account(provider: str, account: str) -> ChannelAccount:
    """Return the account with its options from channels.yaml, if it is there; no secrets."""
    path = Path(os.environ.get("THROUGHLINE_POLICY", "deploy/policy")) / "channels.yaml"
    policy = load_policy(path, ChannelsPolicy).content if path.exists() else ChannelsPolicy()
    entry = policy.channel_account(provider, account)
    return ChannelAccount(provider, account, {}, entry.options if entry else {})


def _header(written: str) -> tuple[str, bytes]:
    name, separator, value = written.partition(":")
    if not separator or not name.strip():
        raise ThroughlineError("A header has no name.", "Write it as --header 'Name: value'.")
    return name.strip().lower(), value.strip().encode()
