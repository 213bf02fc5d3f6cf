"""The agents' API: declare, take offers, complete work, and look at cases and queues."""

import asyncio
import json
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Query, Request, Response

from services.routing import store, views
from services.routing.announce import SOURCE
from services.routing.commands import Commands, Publishes, Reads, command, command_id
from services.routing.domain.policy import RoutingPolicy
from shared.case_reference import parse_case_reference
from shared.clock import Clock
from shared.contracts import CONTRACT_VERSION
from shared.contracts.routes import contract_routes
from shared.events import Event
from shared.events.routing import (
    AgentDeclared,
    AgentStatusDeclared,
    OfferAnswered,
    WorkItemFinished,
)
from shared.http import ApiError, check_bearer, create_api
from shared.streams import Document

_MOST_LISTED = 1_000  # agents or offers in one answer, about 0.5 MB
_REFUSED = {"model": views.CommandView, "description": "It takes longer; look it up again."}

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]


class _Api:
    """What the endpoints share."""

    def __init__(
        self, database: Reads, commands: Commands, policy: RoutingPolicy, clock: Clock
    ) -> None:
        self.database, self.commands, self.policy, self.clock = database, commands, policy, clock

    async def known(self, collection: str, document_id: str, what: str) -> Document:
        """Return a document, or answer that there is no such thing."""
        document = await self.database.find_one(collection, {"_id": document_id})
        if document is None:
            code = f"{what.replace(' ', '-')}-unknown"
            raise ApiError(404, code, f"There is no such {what}.", "Check its id.")
        return document

    async def ask(
        self,
        kind: type[Event],
        data: Document,
        request: Request,
        response: Response,
        key: str | None,
    ) -> views.CommandView:
        """Send a command and answer with its outcome: 200, 202 (not yet), 404 or 409."""
        body = json.dumps(data, sort_keys=True, default=str)
        this = command_id(key, request.method, request.url.path, body)
        event = command(kind, this, data, self.clock.now(), SOURCE)
        outcome = await self.commands.send(event, repeated=key is not None)
        if outcome is None:
            response.status_code = 202
            response.headers["Location"] = f"/v1/commands/{this}"
        elif not outcome["ok"]:
            status = 404 if outcome["code"].endswith("-unknown") else 409
            raise ApiError(status, outcome["code"], outcome["message"], outcome["fix"])
        return views.command_view(this, outcome)


def create_routing_api(
    database: Reads,
    publisher: Publishes,
    policy: RoutingPolicy,
    clock: Clock,
    token: str | None = None,
    commands: Commands | None = None,
) -> FastAPI:
    """Return the API of the routing service."""
    api = create_api("Throughline routing", CONTRACT_VERSION)
    shared = _Api(database, commands or Commands(database, publisher), policy, clock)

    async def authorise(request: Request) -> None:
        check_bearer(request, token)

    api.router.dependencies.append(Depends(authorise))
    _add_agents(api, shared)
    _add_offers(api, shared)
    _add_work(api, shared)
    _add_overview(api, shared)
    api.router.routes.extend(contract_routes("routing", api))
    return api


def _add_agents(api: FastAPI, shared: _Api) -> None:
    @api.put("/v1/agents/{agent_id}", responses={202: _REFUSED})
    async def declare_agent(
        agent_id: views.AgentId,
        body: views.AgentBody,
        request: Request,
        response: Response,
        key: Key = None,
    ) -> views.CommandView:
        """Declare an agent, whole; a pool cannot be changed afterwards."""
        if body.pool not in shared.policy.pools:
            raise ApiError(
                422,
                "pool-unknown",
                "routing.yaml has no such pool.",
                f"Use one of: {', '.join(shared.policy.pools)}.",
            )
        data = {"agent_id": agent_id, **body.model_dump()}
        return await shared.ask(AgentDeclared, data, request, response, key)

    @api.post("/v1/agents/{agent_id}/status", responses={202: _REFUSED})
    async def declare_status(
        agent_id: views.AgentId,
        body: views.StatusBody,
        request: Request,
        response: Response,
        key: Key = None,
    ) -> views.CommandView:
        """Declare whether work may be offered to an agent; `away` takes pending offers back."""
        agent = await shared.known(store.AGENTS, agent_id, "agent")
        data = {"agent_id": agent_id, "pool": agent["pool"], "status": body.status}
        return await shared.ask(AgentStatusDeclared, data, request, response, key)

    @api.get("/v1/agents/{agent_id}")
    async def show_agent(agent_id: views.AgentId) -> views.AgentView:
        """Show an agent and what it holds."""
        return views.agent_view(await shared.known(store.AGENTS, agent_id, "agent"))

    @api.get("/v1/agents")
    async def list_agents() -> views.AgentsView:
        """List the agents, by id."""
        found = await shared.database.find(store.AGENTS, {}, [("_id", 1)], _MOST_LISTED)
        return views.AgentsView(agents=[views.agent_view(one) for one in found])


def _add_offers(api: FastAPI, shared: _Api) -> None:
    @api.get("/v1/offers")
    async def list_offers(
        agent_id: Annotated[views.AgentId | None, Query()] = None,
    ) -> views.OffersView:
        """List the offers that wait for an answer, of one agent or of all."""
        where: Document = {"active": True, "state": "offered"}
        if agent_id is not None:
            where["agent_id"] = agent_id
        offers = await shared.database.find(
            store.ASSIGNMENTS, where, [("made_at", 1)], _MOST_LISTED
        )
        ids = [offer["work_item_id"] for offer in offers]
        found = await shared.database.find(store.WORK_ITEMS, {"_id": {"$in": ids}}) if ids else []
        items = {item["_id"]: item for item in found}
        shown = [views.offer_view(offer, items.get(offer["work_item_id"])) for offer in offers]
        return views.OffersView(offers=shown)

    async def answer(
        offer_id: str,
        agent_id: str,
        given: str,
        request: Request,
        response: Response,
        key: str | None,
    ) -> views.CommandView:
        offer = await shared.known(store.ASSIGNMENTS, offer_id, "offer")
        data = {
            "offer_id": offer_id,
            "agent_id": agent_id,
            "pool": offer["pool"],
            "answer": given,
        }
        return await shared.ask(OfferAnswered, data, request, response, key)

    @api.post("/v1/offers/{offer_id}/accept", responses={202: _REFUSED})
    async def accept_offer(
        offer_id: str,
        body: views.ByAgentBody,
        request: Request,
        response: Response,
        key: Key = None,
    ) -> views.CommandView:
        """Accept an offer: the work item is assigned to the agent."""
        return await answer(offer_id, body.agent_id, "accept", request, response, key)

    @api.post("/v1/offers/{offer_id}/decline", responses={202: _REFUSED})
    async def decline_offer(
        offer_id: str,
        body: views.ByAgentBody,
        request: Request,
        response: Response,
        key: Key = None,
    ) -> views.CommandView:
        """Decline an offer: the work item waits again, its age kept."""
        return await answer(offer_id, body.agent_id, "decline", request, response, key)


def _add_work(api: FastAPI, shared: _Api) -> None:
    @api.post("/v1/work-items/{work_item_id}/complete", responses={202: _REFUSED})
    async def complete_work_item(
        work_item_id: str,
        body: views.ByAgentBody,
        request: Request,
        response: Response,
        key: Key = None,
    ) -> views.CommandView:
        """Complete a work item; the agent's capacity is free again."""
        item = await shared.known(store.WORK_ITEMS, work_item_id, "work item")
        data = {"work_item_id": work_item_id, "agent_id": body.agent_id, "pool": item["pool"]}
        return await shared.ask(WorkItemFinished, data, request, response, key)

    @api.get("/v1/work-items/{work_item_id}")
    async def show_work_item(work_item_id: str) -> views.WorkItemView:
        """Show a work item and where it stands."""
        item = await shared.known(store.WORK_ITEMS, work_item_id, "work item")
        return views.work_item_view(item)

    @api.get("/v1/cases/{reference}")
    async def show_case(reference: str) -> views.CaseView:
        """Show a case by its reference; upper or lower case, spaces and hyphens do not matter."""
        parsed = parse_case_reference(reference)
        if parsed is None:
            raise ApiError(
                422,
                "case-reference-misread",
                "This is no case reference: a character is missing, wrong or swapped.",
                "Read it again: nine characters, such as 7KF-M3X-QPW; 0 1 2 5 8 B I L O S U V Z "
                "never occur.",
            )
        case = await shared.database.find_one(store.CASES, {"reference": parsed})
        if case is None:
            raise ApiError(
                404, "case-unknown", "No case has this reference.", "Ask for the reference again."
            )
        found = await shared.database.find(store.WORK_ITEMS, {"_id": case["work_item_id"]})
        return views.case_view(case, found)


def _add_overview(api: FastAPI, shared: _Api) -> None:
    @api.get("/v1/commands/{command_id}")
    async def show_command(command_id: str) -> views.CommandView:
        """Show the outcome of a command that answered 202; it is kept for an hour."""
        outcome = await shared.commands.outcome(command_id)
        if outcome is None:
            raise ApiError(
                404,
                "command-unknown",
                "No outcome of this command is known.",
                "Look again in a moment, or send it again with the same Idempotency-Key.",
            )
        return views.command_view(command_id, outcome)

    @api.get("/v1/queues")
    async def list_queues() -> views.QueuesView:
        """List the queues: how many wait, and the age of the oldest."""
        names = list(shared.policy.queues)
        return views.QueuesView(queues=await asyncio.gather(*map(queue_view, names)))

    async def queue_view(queue: str) -> views.QueueView:
        where = {"queue": queue, "state": "waiting"}
        waiting = await shared.database.count(store.WORK_ITEMS, where)
        oldest = await shared.database.find(store.WORK_ITEMS, where, [("arrived_at", 1)], 1)
        age = (shared.clock.now() - oldest[0]["arrived_at"]).total_seconds() if oldest else None
        pool = shared.policy.queues[queue].pool
        return views.QueueView(queue=queue, pool=pool, waiting=waiting, oldest_age_seconds=age)
