"""The read API: clocks as they stand, and the promises in force."""

from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request

from services.sla.domain.promises import Charter, Promise
from services.sla.store import CLOCKS, clocks_query, is_started, readable
from shared.case_reference import parse_case_reference
from shared.contracts import CONTRACT_VERSION
from shared.contracts.routes import contract_routes
from shared.durations import format_duration
from shared.http import ApiError, check_bearer, create_api
from shared.mongo import Database

MOST_CLOCKS = 200  # a screenful several times over; each is under 1 KiB

Id = Annotated[str | None, Query(min_length=1, max_length=256)]
Limit = Annotated[int, Query(ge=1, le=MOST_CLOCKS)]


def build_api(database: Database, charter: Charter, token: str | None) -> FastAPI:
    """Return the sla service's HTTP application; a `token` is asked of every request."""

    def check(request: Request) -> None:
        check_bearer(request, token)

    api = create_api("Throughline sla", CONTRACT_VERSION)
    api.router.dependencies.append(Depends(check))

    @api.get("/v1/clocks")
    async def clocks(
        conversation_id: Id = None,
        case_reference: Id = None,
        state: Literal["running", "met", "breached"] | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """List clocks by conversation, case reference or state, those due first first."""
        if conversation_id is None and case_reference is None and state is None:
            raise ApiError(
                422,
                "filter-missing",
                "Nothing says which clocks to list.",
                "Give conversation_id, case_reference or state.",
            )
        reference = None if case_reference is None else _reference(case_reference)
        query = clocks_query(conversation_id, reference, state)
        found = await database.find(CLOCKS, query, sort=[("due_at", 1)], limit=limit)
        return {"clocks": [readable(document) for document in found]}

    @api.get("/v1/clocks/{clock_id}")
    async def clock(clock_id: str) -> dict[str, Any]:
        """Return one clock."""
        document = await database.find_one(CLOCKS, {"_id": clock_id})
        if document is None or not is_started(document):
            raise ApiError(404, "no-such-clock", "There is no such clock.", "Check the id.")
        return readable(document)

    @api.get("/v1/promises")
    async def promises() -> dict[str, Any]:
        """Return the promises in force and the version of the charter that makes them."""
        made = [_promise(promise) for promise in charter.promises.values()]
        return {"charter_version": charter.version, "promises": made}

    api.router.routes.extend(contract_routes("sla", api))
    return api


def _reference(written: str) -> str:
    reference = parse_case_reference(written)
    if reference is None:
        raise ApiError(
            422, "no-reference", "This is no case reference.", "Check it for a mistyped character."
        )
    return reference


def _promise(promise: Promise) -> dict[str, Any]:
    return {
        "target": promise.target,
        "channel": promise.channel,
        "channel_account": promise.channel_account,
        "within": format_duration(promise.within),
        "within_seconds": promise.within.total_seconds(),
        "warn_at": [share for share, _ in promise.warn_after],
        "calendar": promise.calendar_name,
    }
