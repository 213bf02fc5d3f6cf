"""Ingest's HTTP side in this process, with everything behind it in memory."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import httpx
from fastapi import FastAPI

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.api import EventsApi
from services.ingest.app import create_http
from services.ingest.domain.gate import Gate
from services.ingest.webhooks import Webhooks
from tests.support.builders_ingest import DOORS, Fakes, api_keys

HOOKS = sorted(name for name, adapter in ADAPTERS.items() if adapter.transport == "hook")
"""The providers that come over HTTP hooks."""

Receive = Callable[[], Awaitable[dict[str, Any]]]


def hook_app(fakes: Fakes) -> FastAPI:
    """Return the HTTP side, with the demo integrator's key."""
    intake = fakes.intake()
    return create_http(Webhooks(DOORS, intake, Gate()), EventsApi(api_keys(), intake, Gate()))


def client(fakes: Fakes) -> httpx.AsyncClient:
    """Return a client of the HTTP side; an error of ours is a 500, not an exception."""
    transport = httpx.ASGITransport(app=hook_app(fakes), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://ingest")


async def post_raw(
    app: FastAPI,
    path: str,
    headers: list[tuple[bytes, bytes]],
    receive: Receive,
    query: str = "",
) -> int:
    """Return the status of a POST whose body comes from `receive`, whatever a client allows."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": quote(query, safe="=&%").encode(),
        "headers": headers,
        "http_version": "1.1",
        "scheme": "http",
        "server": ("ingest", 80),
        "client": ("127.0.0.1", 1),
    }
    sent: list[dict[str, Any]] = []

    async def send_back(message: Any) -> None:
        sent.append(dict(message))

    await app(scope, receive, send_back)
    return int(sent[0]["status"])
