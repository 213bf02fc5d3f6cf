"""`/hooks/{provider}/{account}`: where providers send.

Order: known door, method, headers, media type, a free place, body, signature, translation, Kafka.
An authentic body always gets 200 once it is safe, understood or not; 503 with Retry-After means
"try again", everything else is a 4xx with a constant sentence.
"""

from starlette.requests import Request
from starlette.responses import Response

from services.ingest.accounts import Door, Doors
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.domain import limits
from services.ingest.domain.gate import Busy, Gate
from services.ingest.handlers import Intake
from services.ingest.reading import read_body, read_headers
from shared.errors import Unavailable
from shared.http import ApiError

_ALLOWED = {"Allow": "GET, POST"}
_RETRY = {"Retry-After": str(limits.RETRY_AFTER_SECONDS)}


class Webhooks:
    """The hooks' endpoints."""

    def __init__(self, doors: Doors, intake: Intake, gate: Gate) -> None:
        self._doors = {key: door for key, door in doors.items() if door.adapter.transport == "hook"}
        self._intake, self._gate = intake, gate

    async def take(self, request: Request) -> Response:
        """Answer a request: no framework looks at its body before its signature is checked."""
        if request.method == "POST":
            return await self._post(request)
        if request.method == "GET":
            return await self._get(request)
        raise ApiError(
            405, "method-not-allowed", "Hooks take POST, some GET.", "Use POST.", _ALLOWED
        )

    def _door(self, request: Request) -> Door:
        names = tuple(request.scope["path"].split("/")[2:])
        door = self._doors.get(names) if len(names) == 2 else None
        if door is None:
            raise ApiError(
                404,
                "unknown-channel-account",
                "There is no such channel account here.",
                "Use /hooks/<provider>/<account> as in channels.yaml.",
            )
        return door

    async def _get(self, request: Request) -> Response:
        door = self._door(request)
        try:
            answer = door.adapter.challenge(_query(request), door.account)
        except SignatureRefused as error:
            raise self._refused(door, error) from None
        if answer is None:
            raise ApiError(405, "method-not-allowed", "This provider only sends POST.", "Use POST.")
        return Response(answer, media_type="text/plain")

    async def _post(self, request: Request) -> Response:
        door = self._door(request)
        headers = read_headers(request)
        media_type = RawRequest(b"", headers).media_type()
        if media_type not in door.adapter.media_types:
            raise ApiError(
                415,
                "unsupported-media-type",
                "This provider does not send this content type.",
                f"Send {' or '.join(sorted(door.adapter.media_types))}.",
            )
        try:
            limit = door.adapter.max_body
            with self._gate.enter(f"{door.account.provider}/{door.account.name}") as place:
                body = await read_body(request, limit, place=place)
                given = RawRequest(body, headers, _query(request))
                await self._intake.accept(door, given)
        except SignatureRefused as error:
            raise self._refused(door, error) from None
        except (Busy, Unavailable) as error:
            self._count(door, "busy" if isinstance(error, Busy) else "unavailable")
            raise ApiError(
                503, "unavailable", "We cannot take this now.", "Send it again.", _RETRY
            ) from None
        self._count(door, "accepted")
        media_type, answer = door.adapter.reply(given, door.account)
        return Response(answer, media_type=media_type)

    def _refused(self, door: Door, error: SignatureRefused) -> ApiError:
        self._count(door, "refused")
        self._intake.meter.count(
            "ingest_signatures_refused_total",
            provider=door.account.provider,
            account=door.account.name,
            reason=error.reason,
        )
        return ApiError(401, "signature-refused", error.problem, error.fix)

    def _count(self, door: Door, outcome: str) -> None:
        self._intake.meter.count(
            "ingest_requests_total",
            provider=door.account.provider,
            account=door.account.name,
            outcome=outcome,
        )


def _query(request: Request) -> str:
    return bytes(request.scope.get("query_string", b"")).decode("latin-1")
