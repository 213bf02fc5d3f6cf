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
from services.ingest.domain.json_fields import list_at, string_at, value_at
from services.ingest.senders.contract import Answer, Call
from shared.errors import ThroughlineError


class BadPage(ThroughlineError):
    """A provider's answer is no page of its list; says where, never what it held."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The provider's list cannot be read ({what}).", "Compare with the channel's page."
        )


def object_of(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer; raise `BadPage` for anything else.

    Not counted as a stranger's JSON is: we asked for it, over TLS, and its bytes are bounded.
    """
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise BadPage("not JSON") from None
    if not isinstance(found, dict):
        raise BadPage("not an object")
    return found


def page_with(answer: Answer, *path: str) -> dict[str, Any]:
    """Return the JSON object of an answer that has a list at `path`; raise `BadPage`."""
    found = object_of(answer)
    if not isinstance(value_at(found, *path), list):
        raise BadPage(f"no {'.'.join(path)}")
    return found


def listed_by(answer: Answer, *path: str) -> list[Any]:
    """Return the list at a path of an answer; raise `BadPage`."""
    return list_at(page_with(answer, *path), *path)


def told_by(found: Any, *path: str) -> str:
    """Return the string at a path of what was listed, or raise `BadPage` that names the path."""
    told = string_at(found, *path)
    if told is None:
        raise BadPage(f"no {'.'.join(path)}")
    return told


def request_of(payload: Any) -> RawRequest:
    """Return a hook's request with this payload in JSON."""
    return RawRequest(json.dumps(payload).encode(), (("content-type", b"application/json"),))


@dataclass(frozen=True, slots=True)
class Question:
    """One call of a list: `asks` is the lister's own word for its kind, `knows` what it needs.

    What it needs are words that earlier answers told: a page's cursor, a conversation's id.
    """

    asks: str
    knows: tuple[str, ...] = ()


FIRST = Question("first")
"""The question that every list begins with."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one question gave: the requests it stands for, and the questions that lead on.

    `items` fetch what the answer only names, each once; `following` is the next page, after them
    (None: it was the last).
    """

    requests: tuple[RawRequest, ...] = ()
    items: tuple[Question, ...] = ()
    following: Question | None = None


class Lister(ABC):
    """One provider's list of past messages; its calls go to the hosts of the provider's sender.

    `secrets` and `options` are names in channels.yaml that listing needs, of those of sending.
    """

    provider: ClassVar[str]
    secrets: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def compose(self, account: ChannelAccount, since: datetime, question: Question) -> Call:
        """Return the call for a question; a list begins with `FIRST`."""

    @abstractmethod
    def read(
        self, answer: Answer, account: ChannelAccount, since: datetime, question: Question
    ) -> Page:
        """Return what an answer holds, nothing of before `since`; raise `BadPage`."""
