"""The routing service as a whole, on a real Kafka and MongoDB."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from deploy.local.ports import free_port
from services.routing.app import create_app
from services.routing.settings import Settings
from shared.settings import CommonSettings
from shared.streams import Publisher
from tests.support.builders_routing import message
from tests.support.deployment import ID_KEY, Deployment, eventually

POLICY = Path(__file__).parents[2] / "deploy/policy"


@pytest.fixture
async def api(deployment: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    common = CommonSettings(
        kafka=deployment.kafka,
        mongodb=deployment.mongodb,
        prefix=deployment.prefix,
        id_key=SecretStr(ID_KEY),
        policy=str(POLICY),
    )
    settings = Settings(common=common, port=free_port(), ops_port=free_port())
    service, stop = create_app(settings), asyncio.Event()
    serving = asyncio.create_task(service.serve(stop))
    address = f"http://127.0.0.1:{settings.port}"
    async with httpx.AsyncClient(base_url=address, timeout=15) as client:

        async def answers() -> bool:
            try:
                return (await client.get("/v1/queues")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(answers, "the API answers")
        yield client
    stop.set()
    assert await serving == 0


async def test_three_channels_of_one_customer_reach_the_agent_and_are_completed(
    api: httpx.AsyncClient, deployment: Deployment
) -> None:
    maja = {
        "name": "Maja",
        "pool": "default",
        "skills": ["orders", "complaints"],
        "capacity_units": 4,
    }
    declared = await api.put("/v1/agents/agent-maja", json=maja)
    assert declared.status_code == 200
    publisher = Publisher(deployment.kafka, deployment.prefix)
    await publisher.start()
    await publisher.publish(
        [
            message("Where is my order 1234?", conversation_id="conv-e", channel="email"),
            message("Any news?", 1, conversation_id="conv-w", channel="messaging"),
            message("To je reklamacija", 2, conversation_id="conv-s", channel="sms"),
        ]
    )
    await publisher.stop()

    async def offers() -> list[dict[str, str]]:
        found = (await api.get("/v1/offers", params={"agent_id": "agent-maja"})).json()["offers"]
        return found if len(found) == 3 else []

    found = await eventually(offers, "three offers")
    assert {offer["conversation_id"]: offer["queue"] for offer in found} == {
        "conv-e": "orders",
        "conv-w": "general",
        "conv-s": "complaints",
    }
    by_maja = {"agent_id": "agent-maja"}
    for offer in found:
        accepted = await api.post(f"/v1/offers/{offer['offer_id']}/accept", json=by_maja)
        assert accepted.json()["code"] == "accepted"
        path = f"/v1/work-items/{offer['work_item_id']}/complete"
        assert (await api.post(path, json=by_maja)).json()["code"] == "completed"
        case = (await api.get(f"/v1/cases/{offer['case_reference']}")).json()
        assert case["completed_at"] is not None
    assert (await api.get("/v1/agents/agent-maja")).json()["units_held"] == 0
