"""Dead letters of requests: every byte of what was authentic but not understood."""

import base64
import hashlib
from collections.abc import Iterable
from datetime import datetime

from services.ingest.adapters.contract import Adapter, BrokenPart
from services.ingest.adapters.request import ChannelAccount, RawRequest
from shared.events import Event
from shared.events.dead_letters import DeadLettered
from shared.ids import derived_id
from shared.version import VERSION

_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})


def dead_letters(
    adapter: Adapter,
    account: ChannelAccount,
    request: RawRequest,
    broken: Iterable[BrokenPart],
    received_at: datetime,
) -> tuple[Event, ...]:
    """Return a dead letter for each broken part, with the headers of its request.

    The query is kept as the header `:query`. Of headers that are credentials only the name is
    kept. The same part of the same request gives the same id, so a provider's retry adds nothing.
    """
    headers = _headers(adapter, request)
    return tuple(_dead_letter(account, part, headers, received_at) for part in broken)


def _dead_letter(
    account: ChannelAccount,
    part: BrokenPart,
    headers: list[dict[str, bytes | str | None]],
    received_at: datetime,
) -> Event:
    door = f"{account.provider}/{account.name}"
    return DeadLettered.model_validate(
        {
            "id": derived_id("evt", "dead-letter", door, hashlib.sha256(part.body).hexdigest()),
            "source": f"/ingest/{door}",
            "time": received_at,
            "partitionkey": door,
            "data": {
                "origin": "request",
                "provider": account.provider,
                "channel_account": account.name,
                "headers": headers,
                "body": base64.b64encode(part.body),
                "error": part.error,
                "code_version": VERSION,
            },
        }
    )


def _headers(adapter: Adapter, request: RawRequest) -> list[dict[str, bytes | str | None]]:
    secret = _CREDENTIALS | adapter.secret_headers | _bare_secret(adapter)
    query = ((":query", request.query.encode()),) if request.query else ()
    return [
        {"name": name, "value": None if name in secret else base64.b64encode(value)}
        for name, value in (*request.headers, *query)
    ]


def _bare_secret(adapter: Adapter) -> frozenset[str]:
    """Return the header of a proof that covers no body: it is as good as the secret itself."""
    scheme = adapter.scheme
    return frozenset() if scheme.covers_body or not scheme.header else frozenset({scheme.header})
