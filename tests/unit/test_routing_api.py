"""The agents' API: what it asks of the matcher, and how it answers."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

import httpx
import pytest

from services.routing.api import create_routing_api
from services.routing.commands import Commands
from services.routing.store import AGENTS, ASSIGNMENTS, CASES, OUTCOMES
from shared.clock import Clock
from shared.errors import Unavailable
from shared.events import Event
from tests.support import builders_routing as build
from tests.support.builders_routing import World

TOKEN = "a-token-of-this-test"


class StepClock:
    """Moves by a millisecond each time it is read, as requests in a row do."""

    def __init__(self) -> None:
        self.reads = 0

    def now(self) -> datetime:
        self.reads += 1
        return build.at(100 + (self.reads - 1) / 1000)


class Matched:
    """The matcher behind the API: what is published is decided at once, or never (`deaf`)."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.commands: list[Event] = []
        self.deaf = False
        self.down = False

    async def publish(self, events: Iterable[Event]) -> None:
        if self.down:
            raise Unavailable("Kafka did not acknowledge in time.", "Try again.")
        self.commands += events
        if not self.deaf:
            self.world.run(*events, seconds=100)

    async def find_one(self, collection: str, where: Any) -> dict[str, Any] | None:
        return next(iter(await self.find(collection, where)), None)

    async def find(
        self, collection: str, where: Any, sort: Any = (), limit: int = 0
    ) -> list[dict[str, Any]]:
        found = [one for one in self.world.all(collection) if build.matches(one, where)]
        for name, _ in sort:
            found.sort(key=lambda one: one[name])
        return found[: limit or None]

    async def count(self, collection: str, where: Any) -> int:
        return len(await self.find(collection, where))


@pytest.fixture
def matched() -> Matched:
    return Matched(build.matcher_world())


@pytest.fixture
async def client(matched: Matched) -> AsyncIterator[httpx.AsyncClient]:
    clock: Clock = StepClock()
    commands = Commands(matched, matched, patience=0.05)
    api = create_routing_api(matched, matched, build.policy(), clock, TOKEN, commands)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api),
        base_url="http://routing",
        headers={"Authorization": f"Bearer {TOKEN}"},
    ) as client:
        yield client


MAJA = {"name": "Maja", "pool": "default", "skills": ["orders"], "capacity_units": 2}


async def with_offer(client: httpx.AsyncClient, matched: Matched) -> str:
    """Declare Maja, submit work; return the id of the offer made to her."""
    await client.put("/v1/agents/agent-maja", json=MAJA)
    matched.world.run(build.submitted(1, 90), seconds=100)
    return str(matched.world.offers()[0]["_id"])


async def test_an_agent_is_declared_and_shown(client: httpx.AsyncClient) -> None:
    put = await client.put("/v1/agents/agent-maja", json=MAJA)
    shown = await client.get("/v1/agents/agent-maja")
    listed = await client.get("/v1/agents")

    assert (put.status_code, put.json()["code"]) == (200, "declared")
    assert shown.json()["skills"] == ["orders"]
    assert shown.json()["units_held"] == 0
    assert [agent["agent_id"] for agent in listed.json()["agents"]] == ["agent-maja"]


async def test_the_day_of_an_agent(client: httpx.AsyncClient, matched: Matched) -> None:
    offer_id = await with_offer(client, matched)
    by_maja = {"agent_id": "agent-maja"}

    listed = await client.get("/v1/offers", params=by_maja)
    accepted = await client.post(f"/v1/offers/{offer_id}/accept", json=by_maja)
    assigned = await client.get("/v1/work-items/work-1")
    completed = await client.post("/v1/work-items/work-1/complete", json=by_maja)
    away = await client.post("/v1/agents/agent-maja/status", json={"status": "away"})

    assert listed.json()["offers"][0]["case_reference"] == "7KF-M3X-QPW"
    assert accepted.json()["about"] == by_maja | {"offer_id": offer_id, "work_item_id": "work-1"}
    assert assigned.json()["state"] == "assigned"
    assert completed.json()["code"] == "completed"
    assert away.json()["code"] == "status-declared"
    assert matched.world.one(AGENTS, "agent-maja")["status"] == "away"
    assert (await client.get("/v1/offers")).json() == {"offers": []}


async def test_an_offer_that_ended_answers_409_and_says_why(
    client: httpx.AsyncClient, matched: Matched
) -> None:
    offer_id = await with_offer(client, matched)
    await client.post(f"/v1/offers/{offer_id}/decline", json={"agent_id": "agent-maja"})

    late = await client.post(f"/v1/offers/{offer_id}/accept", json={"agent_id": "agent-maja"})

    assert late.status_code == 409
    assert late.json()["error"]["code"] == "offer-declined"
    assert matched.world.one(ASSIGNMENTS, offer_id)["state"] == "declined"


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/v1/agents/nobody", None, "agent-unknown"),
        ("POST", "/v1/agents/nobody/status", {"status": "away"}, "agent-unknown"),
        ("POST", "/v1/offers/none/accept", {"agent_id": "a"}, "offer-unknown"),
        ("POST", "/v1/work-items/none/complete", {"agent_id": "a"}, "work-item-unknown"),
        ("GET", "/v1/commands/none", None, "command-unknown"),
        ("GET", "/v1/cases/7KF-M3X-QPA", None, "case-unknown"),
    ],
)
async def test_what_is_unknown_answers_404(
    client: httpx.AsyncClient, method: str, path: str, body: Any, code: str
) -> None:
    answer = await client.request(method, path.replace("7KF-M3X-QPA", reference()), json=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)


def reference() -> str:
    """Return a well-formed reference."""
    from shared.case_reference import case_reference

    return case_reference("case-nobody-has")


async def test_a_misread_reference_answers_422_and_says_what_to_do(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/v1/cases/ABC-DEF-GHI")

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "case-reference-misread"
    assert "nine characters" in answer.json()["error"]["fix"]


async def test_a_case_is_found_however_its_reference_is_written(
    client: httpx.AsyncClient, matched: Matched
) -> None:
    await with_offer(client, matched)
    matched.world.documents[CASES] = {
        "case-1": {
            "_id": "case-1",
            "reference": reference(),
            "conversation_id": "conv-1",
            "channel": "chat",
            "queue": "general",
            "opened_at": build.at(0),
            "completed_at": None,
            "work_item_id": "work-1",
        }
    }

    answer = await client.get(f"/v1/cases/{reference().lower().replace('-', '')}")

    assert answer.json()["reference"] == reference()
    assert answer.json()["work_items"][0]["state"] == "offered"


async def test_a_pool_the_policy_does_not_have_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.put("/v1/agents/agent-maja", json=MAJA | {"pool": "nowhere"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "pool-unknown")


async def test_without_the_token_nothing_is_answered(client: httpx.AsyncClient) -> None:
    for path in ("/v1/agents", "/v1/offers", "/v1/queues", "/v1/cases/x", "/v1/commands/x"):
        answer = await client.get(path, headers={"Authorization": "Bearer wrong"})
        assert answer.status_code == 401


async def test_a_slow_matcher_answers_202_and_the_outcome_can_be_looked_up(
    client: httpx.AsyncClient, matched: Matched
) -> None:
    matched.deaf = True
    answer = await client.put("/v1/agents/agent-maja", json=MAJA)
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")

    matched.world.run(*matched.commands)
    looked_up = await client.get(answer.headers["Location"])

    assert (looked_up.status_code, looked_up.json()["state"]) == (200, "done")


async def test_without_kafka_the_answer_is_503(client: httpx.AsyncClient, matched: Matched) -> None:
    matched.down = True

    assert (await client.put("/v1/agents/agent-maja", json=MAJA)).status_code == 503


async def test_the_same_idempotency_key_asks_once(
    client: httpx.AsyncClient, matched: Matched
) -> None:
    for _ in range(2):
        answer = await client.put(
            "/v1/agents/agent-maja", json=MAJA, headers={"Idempotency-Key": "once"}
        )
        assert answer.status_code == 200

    assert len(matched.commands) == 1
    assert len(matched.world.all(OUTCOMES)) == 1


async def test_queues_tell_how_many_wait_and_how_long(
    client: httpx.AsyncClient, matched: Matched
) -> None:
    matched.world.run(build.submitted(1, 40), build.submitted(2, 70), seconds=70)

    queues = (await client.get("/v1/queues")).json()["queues"]

    assert queues[0] == {
        "queue": "general",
        "pool": "default",
        "waiting": 2,
        "oldest_age_seconds": 60.0,
    }
    assert queues[1]["oldest_age_seconds"] is None
