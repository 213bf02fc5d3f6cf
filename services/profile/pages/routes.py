"""The pages under `/customers`: find a customer, read the timeline as it grows.

Rendered here, with a strict content security policy; the page's only script adds to the list what
the server sends. It works without that script too, only not live.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Header, Query, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import RedirectResponse, Response, StreamingResponse

from services.profile import store
from services.profile.api import CustomerId, WrittenCursor, existing_customer, read_piece
from services.profile.domain.profile import Customer
from services.profile.domain.timeline import Entry, from_millis, to_millis
from services.profile.feed import HEARTBEAT, Feed, Fresh, Quiet
from services.profile.live import Live
from services.profile.pages.cards import Card, card, contact_point_parts
from services.profile.settings import Settings
from shared.clock import Clock
from shared.contact_points import InvalidContactPoint, parse_contact_point
from shared.http import ApiError, check_bearer
from shared.ids import KeyedIds

SHOWN = 50  # entries on a page; older ones are one link away
RECENT = 20
_RETRY_MS = 2_000  # a browser's pause before it connects again
_HERE = Path(__file__).parent
_STATIC = {
    "timeline.js": "text/javascript",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Pages:
    """Everything the pages are made from."""

    def __init__(
        self,
        database: store.Reads,
        ids: KeyedIds,
        live: Live,
        settings: Settings,
        clock: Clock,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self._database, self._ids, self._live, self._clock = database, ids, live, clock
        self._zone = ZoneInfo(settings.time_zone)
        self._token = settings.api_token.get_secret_value() if settings.api_token else None
        self._heartbeat = heartbeat
        self._static = {name: (_HERE / "static" / name).read_bytes() for name in _STATIC}
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["versions"] = {
            name: blake2b(content, digest_size=4).hexdigest()
            for name, content in self._static.items()
        }

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/customers", include_in_schema=False)
        router.add_api_route("/static/{name}", self.static)
        closed = [Depends(self._authorised)]
        router.add_api_route("", self.index, dependencies=closed)
        router.add_api_route("/{customer_id}", self.customer, dependencies=closed)
        router.add_api_route("/{customer_id}/events", self.events, dependencies=closed)
        return router

    def _authorised(self, request: Request) -> None:
        check_bearer(request, self._token)

    async def static(self, name: str) -> Response:
        """Return a script or style sheet of ours."""
        if name not in self._static:
            raise ApiError(404, "not-found", "There is nothing here.", "See /customers.")
        headers = _HEADERS | {"Cache-Control": "max-age=86400"}  # its address changes with it
        return Response(self._static[name], media_type=_STATIC[name], headers=headers)

    async def index(self, contact_point: Annotated[str, Query(max_length=400)] = "") -> Response:
        """Return the search, and who contacted us last."""
        problem = ""
        if contact_point.strip():
            try:
                wanted = self._ids.customer_id(parse_contact_point(_with_scheme(contact_point)))
            except InvalidContactPoint as invalid:
                problem = f"{invalid.problem} {invalid.fix}"
            else:
                if found := await store.find_customer(self._database, wanted):
                    return RedirectResponse(f"/customers/{found.customer_id}", 303, _HEADERS)
                problem = "Nobody has contacted us from there."
        recent = await store.recently_seen(self._database, RECENT)
        return self._page(
            "index.html",
            404 if problem else 200,
            searched=contact_point,
            problem=problem,
            customers=[(customer, *_header(customer)) for customer in recent],
        )

    async def customer(
        self, request: Request, customer_id: CustomerId, cursor: WrittenCursor = None
    ) -> Response:
        """Return a customer's page: who it is and the newest entries, or those after a cursor."""
        since = self._clock.now()  # before reading: what comes in between is sent, and shown once
        customer = await store.find_customer(self._database, customer_id)
        if customer is None:
            return self._page("missing.html", 404)
        if customer.customer_id != customer_id:
            return RedirectResponse(f"/customers/{customer.customer_id}", 303, _HEADERS)
        entries, following = await read_piece(self._database, customer, cursor, SHOWN)
        name, points = _header(customer)
        return self._page(
            "customer.html",
            customer=customer,
            name=name,
            points=points,
            first_seen=_day(customer.first_seen_at, self._zone),
            days=_days([card(entry, self._zone) for entry in _with_cases(entries)]),
            following=following,
            since=None if cursor else to_millis(since),
            zone=self._zone.key,
        )

    async def events(
        self,
        customer_id: CustomerId,
        since: Annotated[str, Query(max_length=20)] = "",
        last_event_id: Annotated[str, Header(max_length=20)] = "",
    ) -> Response:
        """Return the stream of new entries (server-sent events), from a position on."""
        customer = await existing_customer(self._database, customer_id)
        position = self._position(last_event_id or since)
        feed = Feed(self._database, self._live, customer, position, self._heartbeat)
        return StreamingResponse(
            self._stream(feed), media_type="text/event-stream", headers=_HEADERS
        )

    def _position(self, written: str) -> datetime:
        try:
            return min(from_millis(int(written)), self._clock.now())
        except (ValueError, OverflowError):
            return self._clock.now()

    async def _stream(self, feed: Feed) -> AsyncIterator[bytes]:
        yield f"retry: {_RETRY_MS}\n\n".encode()
        async for told in feed.run():
            if isinstance(told, Fresh):
                yield self._event(told)
            elif isinstance(told, Quiet):
                yield b": here\n\n"
            else:
                yield b"event: stale\ndata: {}\n\n"

    def _event(self, fresh: Fresh) -> bytes:
        shown = card(fresh.entry, self._zone)
        template = self._templates.get_template("card.html")
        data = {
            "id": shown.entry_id,
            "order": shown.order,
            "day": shown.day,
            "day_name": shown.day_name,
            "conversation": shown.conversation_id,
            "case": shown.case_reference,
            "html": template.render(card=shown),
        }
        return f"id: {to_millis(fresh.position)}\ndata: {json.dumps(data)}\n\n".encode()

    def _page(self, template: str, status: int = 200, **values: Any) -> Response:
        html = self._templates.get_template(template).render(**values)
        return Response(html, status, _HEADERS, "text/html; charset=utf-8")


def _with_scheme(written: str) -> str:
    """Return what a person typed as a contact point: people write addresses, not schemes."""
    written = written.strip()
    if "@" in written and not written.lower().startswith("email:"):
        return f"email:{written}"
    if ":" not in written and written[:1] in "+0123456789":
        return f"tel:{written}"
    return written


def _header(customer: Customer) -> tuple[str, list[tuple[str, str, str]]]:
    points = [contact_point_parts(each) for each in customer.contact_points]
    return customer.name.value if customer.name else points[0][2], points


def _day(moment: datetime | None, zone: ZoneInfo) -> str:
    if moment is None:
        return ""
    local = moment.astimezone(zone)
    return f"{local.day} {local:%B %Y}"


def _days(cards: Sequence[Card]) -> list[tuple[str, str, list[Card]]]:
    return [(*day, list(of_day)) for day, of_day in groupby(cards, _day_of)]


def _day_of(shown: Card) -> tuple[str, str]:
    return shown.day, shown.day_name


def _with_cases(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries, contact events with the case their conversation opened, if just one.

    Contact events do not know cases; the decisions about the same conversation do.
    """
    references: dict[str, set[str]] = {}
    for entry in entries:
        if entry.conversation_id and entry.case_reference:
            references.setdefault(entry.conversation_id, set()).add(entry.case_reference)
    single = {each: next(iter(found)) for each, found in references.items() if len(found) == 1}
    return [
        entry
        if entry.case_reference
        else replace(entry, case_reference=single.get(entry.conversation_id or ""))
        for entry in entries
    ]
