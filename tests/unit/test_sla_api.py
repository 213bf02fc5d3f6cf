"""The read API over a fake database: filters, errors, the token, and no addresses shown."""

from typing import Any

import httpx
import pytest

from services.sla.api import build_api
from services.sla.store import CLOCKS, clock_id_of
from tests.support.builders_sla import (
    MINUTE,
    NOON,
    SlaWorld,
    agent_writes,
    case_opens,
    charter,
    customer_writes,
    promise,
)


class FakeDatabase:
    """Answers the equality and `$ne` filters that this API makes."""

    def __init__(self, world: SlaWorld) -> None:
        self._documents = world.documents

    async def find_one(self, collection: str, where: dict[str, Any]) -> Any:
        return next(iter(await self.find(collection, where)), None)

    async def find(self, collection: str, where: dict[str, Any], sort: Any = (), limit: int = 0):
        assert collection == CLOCKS
        found = [d for d in self._documents.values() if _matches(d, where)]
        return sorted(found, key=lambda d: d["due_at"])[: limit or None]


def _matches(document: dict[str, Any], where: dict[str, Any]) -> bool:
    return all(
        document[key] != wanted["$ne"] if isinstance(wanted, dict) else document[key] == wanted
        for key, wanted in where.items()
    )


@pytest.fixture
def world() -> SlaWorld:
    world = SlaWorld()
    world.hears(customer_writes(NOON), case_opens())
    world.hears(customer_writes(NOON - MINUTE, conversation="conv_2"))
    world.hears(agent_writes(NOON, conversation="conv_2"))
    world.hears(agent_writes(NOON, conversation="conv_without_question"))
    return world


def client(world: SlaWorld, token: str | None = None) -> httpx.AsyncClient:
    in_force = charter(promise(), promise("voice", "20s"))
    api = build_api(FakeDatabase(world), in_force, token)
    return httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://sla")


async def listed(world: SlaWorld, query: str) -> list[str]:
    async with client(world) as http:
        answer = await http.get(f"/v1/clocks?{query}")
    assert answer.status_code == 200, answer.text
    return [clock["conversation_id"] for clock in answer.json()["clocks"]]


async def test_clocks_are_found_by_conversation_state_and_case_reference(world):
    assert await listed(world, "conversation_id=conv_2") == ["conv_2"]
    assert await listed(world, "state=running") == ["conv_1"]
    assert await listed(world, "state=met") == ["conv_2"]
    reference = world.clock("conv_1")["case_reference"]
    assert await listed(world, f"case_reference={reference.lower()}") == ["conv_1"]
    assert await listed(world, f"case_reference={reference}&state=met") == []


async def test_what_is_no_promise_yet_is_not_listed(world):
    assert await listed(world, "conversation_id=conv_without_question") == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/clocks", 422, "filter-missing"),
        ("/v1/clocks?state=lost", 422, "invalid"),
        ("/v1/clocks?state=met&limit=201", 422, "invalid"),
        ("/v1/clocks?case_reference=AAA-AAA-AAA", 422, "no-reference"),
        ("/v1/clocks/clock_unknown", 404, "no-such-clock"),
        (f"/v1/clocks/{clock_id_of('conv_without_question')}", 404, "no-such-clock"),
    ],
)
async def test_a_wrong_request_says_what_to_do(world, path, status, code):
    async with client(world) as http:
        answer = await http.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_one_clock_is_shown_without_addresses(world):
    async with client(world) as http:
        answer = await http.get(f"/v1/clocks/{clock_id_of('conv_1')}")
    shown = answer.json()
    assert shown["status"] == "running"
    assert shown["due_at"] == "2026-06-03T16:00:00Z"
    assert shown["warnings"] == [{"share": 0.75, "at": "2026-06-03T15:00:00Z", "told": False}]
    assert "ana@example.com" not in answer.text


async def test_the_promises_in_force_are_readable_and_name_their_version(world):
    async with client(world) as http:
        body = (await http.get("/v1/promises")).json()
    assert body["charter_version"] == "0123456789ab"
    assert [(p["channel"], p["within"]) for p in body["promises"]] == [
        ("email", "4h"),
        ("voice", "20s"),
    ]


async def test_with_a_token_set_every_path_asks_for_it(world):
    async with client(world, token="abc") as http:
        for path in ("/v1/clocks?state=met", "/v1/clocks/clock_x", "/v1/promises"):
            assert (await http.get(path)).status_code == 401
        good = await http.get("/v1/promises", headers={"Authorization": "Bearer abc"})
    assert good.status_code == 200
