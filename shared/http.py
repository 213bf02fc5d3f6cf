"""What every HTTP API of ours has in common: one error envelope, never an exception's text."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import ThroughlineError, Unavailable

RETRY_AFTER = {"Retry-After": "5"}
BODY_LIMIT = 1024 * 1024  # bytes; an agent's or integrator's request is a few hundred


class ApiError(Exception):
    """An answer that says what is wrong and what to do, with an HTTP status and a stable code."""

    def __init__(
        self, status: int, code: str, message: str, fix: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.fix = status, code, message, fix
        self.headers = headers or {}


def error_response(
    status: int, code: str, message: str, fix: str, headers: dict[str, str] | None = None
) -> Response:
    """Return the error envelope: `{"error": {"code", "message", "fix"}}`."""
    body = {"error": {"code": code, "message": message, "fix": fix}}
    return JSONResponse(body, status_code=status, headers=headers)


Handler = Callable[[Request], Awaitable[Response]]


class Api(FastAPI):
    """A FastAPI application with a faster way in for requests under one prefix.

    Their handler reads and bounds the body itself; what FastAPI and Starlette do around each
    request would cost it as much as everything else.
    """

    _raw: Handler | None = None
    _raw_prefix = ""

    def serve_raw(self, prefix: str, handler: Handler) -> None:
        """Let this answer everything under `prefix`, with the same errors as the rest."""
        self._raw, self._raw_prefix = handler, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._raw is None or not _is_http_under(scope, self._raw_prefix):
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._raw(request)
        except Exception as error:
            handler = next(_ERRORS[kind] for kind in type(error).__mro__ if kind in _ERRORS)
            await (await handler(request, error))(scope, receive, send)
            if handler is _unexpected:
                raise  # for the log
        else:
            await response(scope, receive, send)


def _is_http_under(scope: Scope, prefix: str) -> bool:
    return scope["type"] == "http" and str(scope["path"]).startswith(prefix)


def create_api(title: str, version: str, body_limit: int = BODY_LIMIT) -> Api:
    """Return an application whose every error has our envelope; no docs page from a CDN.

    Bodies over `body_limit` bytes are refused with 413 while they stream in.
    """
    api = Api(title=title, version=version, docs_url=None, redoc_url=None)
    api.add_middleware(_BodyLimit, limit=body_limit)
    for kind, handler in _ERRORS.items():
        api.add_exception_handler(kind, handler)
    return api


def check_bearer(request: Request, token: str | None) -> None:
    """Refuse a request without the bearer token, when one is configured (constant time)."""
    if token is None:
        return
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise ApiError(
            401,
            "unauthorised",
            "This API needs its token.",
            "Send `Authorization: Bearer …`.",
            {"WWW-Authenticate": "Bearer"},
        )


class _BodyLimit:
    """Counts a body while it streams, whatever its Content-Length says."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                raise HTTPException(413)  # FastAPI would make a 400 of any other
            return message

        await self._app(scope, counted if scope["type"] == "http" else receive, send)


async def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_response(error.status, error.code, error.message, error.fix, error.headers)


async def _validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    places = [
        f"{'.'.join(str(part) for part in detail['loc'])}: {detail['type']}"
        for detail in error.errors()[:5]
    ]
    return error_response(
        422, "invalid", f"The request is not valid ({'; '.join(places)}).", "See /openapi.json."
    )


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(
        error.status_code,
        {404: "not-found", 405: "method-not-allowed", 413: "too-large"}.get(
            error.status_code, "refused"
        ),
        {
            404: "There is nothing here.",
            405: "This method does not exist here.",
            413: "The body is too large.",
        }.get(error.status_code, "The request was refused."),
        "See /openapi.json.",
        dict(error.headers or {}),
    )


async def _unavailable(_request: Request, _error: Exception) -> Response:
    return error_response(
        503, "unavailable", "We could not make this durable in time.", "Try again.", RETRY_AFTER
    )


async def _our_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ThroughlineError)
    return error_response(422, "invalid", error.problem, error.fix)


async def _unexpected(_request: Request, _error: Exception) -> Response:
    return error_response(500, "internal", "Something failed on our side.", "Try again.")


_ERRORS: dict[Any, Any] = {
    ApiError: _api_error,
    RequestValidationError: _validation_error,
    HTTPException: _http_error,
    Unavailable: _unavailable,
    ThroughlineError: _our_error,
    Exception: _unexpected,
}


__all__ = ["Api", "ApiError", "check_bearer", "create_api", "error_response"]
