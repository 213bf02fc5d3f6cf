"""Keys that rotate, and limits on how much an integrator may send."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import httpx

from services.ingest.accounts import ApiKey
from services.ingest.api import EventsApi
from services.ingest.app import create_http
from services.ingest.domain.channels import ApiKeyPolicy, RatePolicy
from services.ingest.domain.gate import Gate
from services.ingest.rates import Rates
from services.ingest.webhooks import Webhooks
from tests.support.builders_ingest import NOW, Fakes, message_event

BATCH = "application/cloudevents-batch+json"
OLD, NEW = "shop-1.old-secret", "shop-2.new-secret"


def keys(**expiry: Any) -> dict[str, ApiKey]:
    """Return two keys of one integrator; `old` and `new` say when each ends."""
    found = {}
    for name, key in (("old", OLD), ("new", NEW)):
        prefix = key.partition(".")[0]
        policy = ApiKeyPolicy(
            integrator="demo-shop", prefix=prefix, sha256="env:X", expires_at=expiry.get(name)
        )
        found[prefix] = ApiKey(policy, hashlib.sha256(key.encode()).hexdigest())
    return found


class Door:
    """The events API of one process, asked again and again."""

    def __init__(self, *rates: RatePolicy, **expiry: Any) -> None:
        self.fakes = Fakes()
        intake = self.fakes.intake()
        events = EventsApi(keys(**expiry), intake, Gate(), Rates(rates))
        self._app = create_http(Webhooks({}, intake, Gate()), events)

    async def post(self, *ids: str, key: str = NEW, path: str = "/v1/events") -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app, raise_app_exceptions=False)
        headers = {"authorization": f"Bearer {key}", "content-type": BATCH}
        body = json.dumps([message_event(id=one) for one in ids])
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as http:
            return await http.post(path, content=body, headers=headers)

    def wait(self, seconds: float) -> None:
        self.fakes.clock.time += timedelta(seconds=seconds)

    def counted(self, outcome: str) -> float:
        text = self.fakes.meter.render().decode()
        lines = [
            line
            for line in text.splitlines()
            if f'outcome="{outcome}"' in line and "_total{" in line
        ]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


def limits(**given: int) -> RatePolicy:
    return RatePolicy(integrator="demo-shop", **given)


async def test_while_a_key_is_rotated_both_count_and_give_the_same_ids() -> None:
    door = Door()
    first, second = await door.post("1", key=OLD), await door.post("1", key=NEW)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()


async def test_after_its_time_the_old_key_is_refused_and_the_new_one_is_not() -> None:
    door = Door(old=NOW)
    assert (await door.post("1", key=OLD)).status_code == 401
    assert (await door.post("1", key=NEW)).status_code == 202


async def test_one_request_too_many_is_told_how_long_to_wait() -> None:
    door = Door(limits(requests_per_minute=2))
    assert [(await door.post(n)).status_code for n in "12"] == [202, 202]
    refused = await door.post("3")
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate-limited"
    assert refused.headers["retry-after"] == "30"
    assert len(door.fakes.publisher.events) == 2
    assert door.counted("limited") == 1
    door.wait(30)
    assert (await door.post("3")).status_code == 202


async def test_the_keys_of_one_integrator_share_its_limit() -> None:
    door = Door(limits(requests_per_minute=1))
    assert (await door.post("1", key=OLD)).status_code == 202
    assert (await door.post("1", key=NEW)).status_code == 429


async def test_events_count_one_by_one_and_a_refused_batch_costs_none() -> None:
    door = Door(limits(events_per_minute=3))
    assert (await door.post("1", "2")).status_code == 202
    assert (await door.post("3", "4")).status_code == 429
    assert (await door.post("3")).status_code == 202
    assert (await door.post("4", path="/v1/events:validate")).status_code == 200
    assert len(door.fakes.publisher.events) == 3


async def test_a_batch_that_can_never_pass_is_refused_for_good() -> None:
    door = Door(limits(events_per_minute=2))
    refused = await door.post("1", "2", "3")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "batch-over-rate")


async def test_another_integrators_limit_is_its_own() -> None:
    door = Door(RatePolicy(integrator="other-shop", requests_per_minute=1))
    assert [(await door.post(n)).status_code for n in "123"] == [202, 202, 202]
