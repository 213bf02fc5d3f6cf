"""`/docs`, `/asyncapi.yaml` and `/schemas/…`, beside the `/openapi.json` every service has."""

import asyncio
from collections.abc import Callable
from functools import cache

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from shared.contracts.asyncapi import asyncapi_yaml
from shared.contracts.page import CONTENT_SECURITY_POLICY, render
from shared.contracts.schemas import as_json, event_types, inbox_schema, schema
from shared.events.topics import CONTACT_INBOX
from shared.http import ApiError

_HEADERS = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}
_SCHEMA = "application/schema+json"


def contract_routes(service: str, api: FastAPI) -> list[BaseRoute]:
    """Return the routes that show a service's contracts; nothing of them needs a token.

    Documents are made when first asked for, off the event loop, and kept.
    """

    @cache
    def page() -> str:
        return render(service, api.openapi())

    async def docs(_request: Request) -> Response:
        headers = {**_HEADERS, "Content-Security-Policy": CONTENT_SECURITY_POLICY}
        return await _answer(page, "text/html", headers)

    return [
        Route("/docs", docs),
        Route("/asyncapi.yaml", _asyncapi),
        Route("/schemas/{name}.json", _own_schema),
        Route("/schemas/inbox/{name}.json", _sent_schema),
    ]


async def _asyncapi(_request: Request) -> Response:
    return await _answer(_document, "application/yaml")


async def _own_schema(request: Request) -> Response:
    return _schema(request, _schemas)


async def _sent_schema(request: Request) -> Response:
    return _schema(request, _inbox_schemas)


def _schema(request: Request, all_of_them: Callable[[], dict[str, str]]) -> Response:
    found = all_of_them().get(request.path_params["name"])
    if found is None:
        raise ApiError(404, "not-found", "There is no such event type.", "See /docs.")
    return Response(found, media_type=_SCHEMA, headers=_HEADERS)


async def _answer(
    make: Callable[[], str], media_type: str, headers: dict[str, str] = _HEADERS
) -> Response:
    text = await asyncio.to_thread(make)
    return Response(text, media_type=media_type, headers=headers)


_document = cache(asyncapi_yaml)


@cache
def _schemas() -> dict[str, str]:
    return {kind.wire_type: as_json(schema(kind)) for kind in event_types()}


@cache
def _inbox_schemas() -> dict[str, str]:
    return {kind.wire_type: as_json(inbox_schema(kind)) for kind in CONTACT_INBOX.events}
