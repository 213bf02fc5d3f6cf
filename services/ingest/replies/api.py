"""`/v1/conversations`: where agents' desktops and bots answer customers."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from services.ingest.accounts import ApiKey
from services.ingest.attachments import Attachments
from services.ingest.domain import limits
from services.ingest.domain.channels import ApiKeyPolicy
from services.ingest.domain.gate import Busy, Gate
from services.ingest.keys import require_key
from services.ingest.outgoing import FetchFailed
from services.ingest.rates import Rates
from services.ingest.replies.body import ReplyBody
from services.ingest.replies.rules import conversation_view, reply_view
from services.ingest.replies.taking import Replies
from shared.clock import Clock
from shared.http import ApiError

_LONGEST_KEY = 255
_TAKEN: dict[int | str, dict[str, Any]] = {
    202: {"description": "Durable; it will be sent once. Ask for its state, or read the topic."},
    400: {"description": "No Idempotency-Key."},
    401: {"description": "No valid API key."},
    404: {"description": "No such conversation, or none that this key may see."},
    409: {"description": "It cannot be sent here, not now, or its key was used for another."},
    422: {"description": "It can never be sent like this; the message says what to change."},
    429: {"description": "Too many requests, or too many automatic replies to this customer."},
    503: {"description": "Not known to be durable; send the same again with the same key."},
}
_AGAIN = {"Retry-After": "1"}
_SHIELD = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


class _FileResponse(Response):
    """A file on its way; its place is free for another once it is sent, however slow the reader."""

    def __init__(self, content: bytes, headers: Mapping[str, str], place: ExitStack) -> None:
        super().__init__(content, media_type="application/octet-stream", headers=dict(headers))
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            await super().__call__(scope, receive, send)


class ReplyApi:
    """The endpoints of conversations, replies and attachments."""

    def __init__(
        self,
        keys: Mapping[str, ApiKey],
        replies: Replies,
        attachments: Attachments,
        clock: Clock,
        rates: Rates,
        gate: Gate | None = None,
    ) -> None:
        self._keys, self._replies = keys, replies
        self._attachments, self._clock, self._rates = attachments, clock, rates
        self._gate = gate or Gate(limits.FILES_GIVEN, limits.FILES_GIVEN_EACH)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter()
        errors: dict[int | str, dict[str, Any]] = {
            **{status: _TAKEN[status] for status in (401, 404)},
            429: {"description": "Too many requests; Retry-After says when to ask again."},
        }
        conversation = "/v1/conversations/{conversation_id}"
        router.add_api_route(conversation, self.conversation, responses=errors)
        router.add_api_route(
            f"{conversation}/replies",
            self.take,
            methods=["POST"],
            status_code=202,
            responses=_TAKEN,
        )
        router.add_api_route(f"{conversation}/replies/{{reply_id}}", self.reply, responses=errors)
        router.add_api_route(
            "/v1/attachments",
            self.attachment,
            responses={
                **errors,
                200: {"content": {"application/octet-stream": {}}},
                424: {"description": "Its host did not give it, or it may not be fetched."},
            },
            response_class=Response,
        )
        return router

    async def conversation(self, request: Request, conversation_id: str) -> Response:
        """Say where a reply would go, and what may be sent now."""
        known = await self._replies.conversation(conversation_id, self._key(request))
        sender = self._replies.sender_of(known)
        return JSONResponse(conversation_view(known, sender, self._clock.now()))

    async def take(
        self,
        request: Request,
        conversation_id: str,
        body: ReplyBody,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Take a reply in; the same Idempotency-Key and body give the same reply."""
        key = self._key(request)
        if not idempotency_key or len(idempotency_key) > _LONGEST_KEY:
            raise ApiError(
                400,
                "idempotency-key-missing",
                "A reply needs an Idempotency-Key header of 1 to 255 characters.",
                "Send a new one with every reply, the same one to repeat a request.",
            )
        reply = await self._replies.take(conversation_id, body, idempotency_key, key)
        return JSONResponse(reply_view(reply), status_code=202)

    async def reply(self, request: Request, conversation_id: str, reply_id: str) -> Response:
        """Say what became of a reply: waiting, sending, sent, failed or unknown, and why."""
        reply = await self._replies.reply(conversation_id, reply_id, self._key(request))
        return JSONResponse(reply_view(reply))

    async def attachment(self, request: Request, conversation: str, reference: str) -> Response:
        """Give a file of a conversation, fetched from where it is; never to be shown inline."""
        key = self._key(request)
        known = await self._replies.conversation(conversation, key)
        with ExitStack() as place:
            self._enter(place, key.integrator)
            try:
                name, content = await self._attachments.of(known, reference)
            except FetchFailed as error:
                raise ApiError(
                    424, "not-fetched", f"The file was not fetched: {error}.", "Try again later."
                ) from None
            disposition = f"attachment; filename*=UTF-8''{name}" if name else "attachment"
            headers = {**_SHIELD, "Content-Disposition": disposition}
            return _FileResponse(content, headers, place.pop_all())

    def _enter(self, place: ExitStack, integrator: str) -> None:
        """Hold room for the largest file there may be: how large it is shows when it is here."""
        try:
            place.enter_context(self._gate.enter(integrator, limits.FETCHED))
        except Busy:
            raise ApiError(
                429, "too-many-files", "Too many files at once.", "Ask one by one.", _AGAIN
            ) from None

    def _key(self, request: Request) -> ApiKeyPolicy:
        """Return whose request this is; it counts for the integrator's limit of requests."""
        now = self._clock.now()
        key = require_key(request, self._keys, now)
        self._rates.request(key.integrator, now)
        return key
