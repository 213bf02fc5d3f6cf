"""`POST /v1/events`: where integrators send contact events and customer records.

All of a request is taken or none of it: a refused batch can be put right and sent again whole,
and the ids make sure that nothing counts twice.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.ingest.accounts import ApiKey
from services.ingest.adapters.payloads.own_events import ItemError, Stamp, translate
from services.ingest.adapters.request import RawRequest
from services.ingest.api_contract import ACCEPTED, BODY, SECURITY, VALIDATED
from services.ingest.domain import limits
from services.ingest.domain.channels import ApiKeyPolicy
from services.ingest.domain.cloud_events import MODES, NotCloudEvents, read_events
from services.ingest.domain.gate import Busy, Gate, Place
from services.ingest.domain.json_guard import Malformed
from services.ingest.handlers import Intake
from services.ingest.keys import require_key
from services.ingest.rates import Rates
from services.ingest.reading import read_body, read_headers
from shared.events import Event
from shared.http import ApiError

_PROVIDER = "events-api"
_RETRY = {"Retry-After": str(limits.RETRY_AFTER_SECONDS)}


class EventsApi:
    """The integrators' endpoints."""

    def __init__(
        self,
        keys: Mapping[str, ApiKey],
        intake: Intake,
        gate: Gate,
        rates: Rates | None = None,
    ) -> None:
        self._keys, self._intake, self._gate = keys, intake, gate
        self._rates = rates or Rates()

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(dependencies=SECURITY)
        router.add_api_route(
            "/v1/events",
            self.take,
            methods=["POST"],
            status_code=202,
            responses=ACCEPTED,
            openapi_extra=BODY,
            response_class=JSONResponse,
        )
        router.add_api_route(
            "/v1/events:validate",
            self.validate,
            methods=["POST"],
            responses=VALIDATED,
            openapi_extra=BODY,
            response_class=JSONResponse,
        )
        return router

    async def take(self, request: Request) -> Response:
        """Take CloudEvents (structured, binary or batch) and answer with their ids."""
        key = require_key(request, self._keys, self._intake.clock.now())
        with self._place(key.integrator) as place:
            events, errors = await self._read(request, key, place)
            if errors:
                self._count(key.integrator, "refused")
                return _refusal(errors)
            self._rates.events(key.integrator, len(events), self._intake.clock.now())
            await self._intake.publish(_PROVIDER, events)
        self._count(key.integrator, "accepted")
        return JSONResponse({"accepted": [event.id for event in events]}, status_code=202)

    async def validate(self, request: Request) -> Response:
        """Say what `POST /v1/events` would answer, and take nothing."""
        key = require_key(request, self._keys, self._intake.clock.now())
        with self._place(key.integrator) as place:
            events, errors = await self._read(request, key, place)
        return _refusal(errors) if errors else JSONResponse({"valid": len(events)})

    @contextmanager
    def _place(self, integrator: str) -> Iterator[Place]:
        try:
            with self._gate.enter(integrator) as place:
                self._rates.request(integrator, self._intake.clock.now())
                yield place
        except Busy:
            self._count(integrator, "busy")
            raise ApiError(
                429, "too-many-requests", "Too many requests at once.", "Slow down.", _RETRY
            ) from None
        except ApiError as error:
            if error.status == 429:
                self._count(integrator, "limited")
            raise

    async def _read(
        self, request: Request, key: ApiKeyPolicy, place: Place
    ) -> tuple[list[Event], list[ItemError]]:
        headers = read_headers(request)
        media_type = RawRequest(b"", headers).media_type()
        if media_type not in MODES:
            raise ApiError(
                415,
                "unsupported-media-type",
                "The content type is none of CloudEvents.",
                f"Send {', '.join(MODES)}.",
            )
        body = await read_body(request, limits.BODY, place=place)
        try:
            items = read_events(media_type, headers, body)
        except (Malformed, NotCloudEvents) as error:
            self._count(key.integrator, "refused")
            raise ApiError(400, "malformed", error.problem, error.fix) from None
        return translate(items, Stamp(key, self._intake.clock.now(), self._intake.ids))

    def _count(self, who: str, outcome: str) -> None:
        self._intake.meter.count(
            "ingest_requests_total", provider=_PROVIDER, account=who, outcome=outcome
        )


def _refusal(errors: list[ItemError]) -> Response:
    first = errors[0]
    return JSONResponse(
        {
            "error": {"code": first.code, "message": first.message, "fix": first.fix},
            "items": [
                {"index": e.index, "code": e.code, "message": e.message, "fix": e.fix}
                for e in errors
            ],
        },
        status_code=422,
    )
