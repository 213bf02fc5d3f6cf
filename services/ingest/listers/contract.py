"""What a lister is: it asks a provider for past messages and hands them on as the hook would.

A lister is one file beside the adapter of the same provider. It does no I/O: `throughline
reconcile` makes the calls. What it gives is read by the same adapter and gets the same ids, so
what had arrived already changes nothing.
"""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.senders.contract import Answer, Call
from shared.errors import ThroughlineError


class BadPage(ThroughlineError):
    """A provider's answer is no page of its list; says where, never what it held."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The provider's list cannot be read ({what}).", "Compare with the channel's page."
        )


def page_with(answer: Answer, name: str) -> dict[str, Any]:
    """Return the JSON object of an answer that has a list under `name`; raise `BadPage`.

    Not counted as a stranger's JSON is: we asked for it, over TLS, and its bytes are bounded.
    """
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise BadPage("not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get(name), list):
        raise BadPage(f"no {name}")
    return found


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the requests it stands for, and where the next one begins (None: it was the last).

    `cursor` is the lister's own word, given back to it.
    """

    requests: tuple[RawRequest, ...]
    cursor: str | None = None


class Lister(ABC):
    """One provider's list of past messages; its calls go to the hosts of the provider's sender.

    `secrets` and `options` are names in channels.yaml that listing needs, of those of sending.
    """

    provider: ClassVar[str]
    secrets: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def compose(self, account: ChannelAccount, since: datetime, cursor: str | None) -> Call:
        """Return the call for a page; the first one has no cursor."""

    @abstractmethod
    def read(self, answer: Answer, account: ChannelAccount, since: datetime) -> Page:
        """Return what a page of status 200 holds, nothing of before `since`; raise `BadPage`."""
