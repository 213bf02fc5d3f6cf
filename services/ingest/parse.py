"""Translating a payload without any I/O: what the hooks do, and what `throughline parse` shows."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from services.ingest.adapters.building import room_for_parts
from services.ingest.adapters.contract import Adapter, BrokenPart, Parsed, Unparseable
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.dead_letters import dead_letters
from services.ingest.domain import limits
from services.ingest.domain.channels import ChannelsPolicy
from shared.errors import ThroughlineError
from shared.events import Event
from shared.events.dead_letters import DeadLettered
from shared.ids import KeyedIds


class UnknownProvider(ThroughlineError):
    """There is no adapter of that name."""


def read(
    adapter: Adapter,
    request: RawRequest,
    account: ChannelAccount,
    received_at: datetime,
    ids: KeyedIds,
) -> Parsed:
    """Return what an authentic request turns into; what is not understood becomes broken parts.

    Never raises: a fault of the adapter itself must not make the provider repeat for days what
    we hold already, so it becomes a dead letter like any other body we do not understand.
    """
    try:
        return _bounded(adapter.parse(request, account, received_at, ids), request)
    except Unparseable as error:
        return Parsed(broken=(BrokenPart(request.body, error.error),))
    except Exception as error:  # see above; the class is in the dead letter and in the metric
        return Parsed(broken=(BrokenPart(request.body, f"adapter: {type(error).__name__}"),))


def _bounded(parsed: Parsed, request: RawRequest) -> Parsed:
    """Put the whole request aside once, where its broken parts are many or larger than it is.

    Each part repeats what stands around it. The good parts' ids make replaying them harmless.
    """
    size = sum(len(part.body) for part in parsed.broken)
    if len(parsed.broken) <= limits.BROKEN_PARTS and size <= room_for_parts(request.body):
        return parsed
    whole = BrokenPart(request.body, f"{len(parsed.broken)} parts, first {parsed.broken[0].error}")
    return replace(parsed, broken=(whole,))


def parse_payload(
    provider: str,
    account: ChannelAccount,
    body: bytes,
    received_at: datetime,
    ids: KeyedIds,
    headers: Iterable[tuple[str, bytes]] = (),
    query: str = "",
) -> list[Event]:
    """Return the events and dead letters that a payload gives; no signature is looked at.

    A content type that is not given is the provider's first one.
    """
    adapter = ADAPTERS.get(provider)
    if adapter is None:
        raise UnknownProvider(
            f"There is no adapter {provider!r}.", f"Use one of {', '.join(sorted(ADAPTERS))}."
        )
    given = tuple((name.lower(), value) for name, value in headers)
    if not any(name == "content-type" for name, _ in given):
        given = (*given, ("content-type", sorted(adapter.media_types)[-1].encode()))
    request = RawRequest(body, given, query)
    parsed = read(adapter, request, account, received_at, ids)
    lost = dead_letters(adapter, account, request, parsed.broken, received_at)
    return [*parsed.events, *lost]


def reparse(letter: DeadLettered, policy: ChannelsPolicy, ids: KeyedIds) -> Parsed:
    """Translate the request of a dead letter once more, with today's adapters.

    It was authentic when it came, so no signature is looked at. `received_at` stays what it was.
    """
    data = letter.data
    entry = policy.channel_account(data.provider or "", data.channel_account or "")
    adapter = ADAPTERS.get(data.provider or "")
    if adapter is None or entry is None:
        raise UnknownProvider(
            f"{data.provider}/{data.channel_account} is not a channel account any more.",
            "Add it to channels.yaml, at least until the dead letter is put back.",
        )
    headers = [(header.name, header.value or b"") for header in data.headers]
    query = b"".join(value for name, value in headers if name == ":query").decode()
    given = tuple(header for header in headers if header[0] != ":query")
    account = ChannelAccount(entry.provider, entry.account, {}, entry.options)
    return read(adapter, RawRequest(data.body or b"", given, query), account, letter.time, ids)
