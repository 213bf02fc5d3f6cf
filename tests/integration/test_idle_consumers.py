"""How often a consumer asks Kafka: seldom while it can be answered at once, often otherwise."""

import asyncio
import collections
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest

from shared.streams.consumer import _wait_longer_for_whole_fetches
from tests.support import ledger
from tests.support.books import Load, assert_every_effect_once
from tests.support.deployment import Deployment, eventually

PARTITIONS = 12
LONG, SHORT = 500, 20  # milliseconds
LOOKED_AT = 4  # fetches


async def test_an_idle_consumer_waits_at_kafka_and_hears_of_a_record_at_once(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetches = _noted_fetches(monkeypatch)
    service = ledger.in_this_process(deployment, monkeypatch)
    stop = asyncio.Event()
    running = asyncio.create_task(service.serve(stop))
    try:

        async def is_idle() -> bool:
            return fetches[-LOOKED_AT:] == [(PARTITIONS, LONG)] * LOOKED_AT

        await eventually(is_idle, "whole fetches that may wait")
        async with Load(deployment) as load:
            pass
        await assert_every_effect_once(deployment, load.events)
        assert {wait for named, wait in fetches if named < PARTITIONS} <= {SHORT}
    finally:
        stop.set()
        assert await running == 0


def _noted_fetches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Return a list that grows by each fetch: how many partitions it names, how long it waits."""
    fetches: list[tuple[int, int]] = []
    send = AIOKafkaClient.send

    async def noted(client: Any, node_id: Any, request: Any, **options: Any) -> Any:
        if isinstance(request, FetchRequest):
            named = sum(len(partitions) for _, partitions in request.topics)
            fetches.append((named, request._max_wait_ms))
        return await send(client, node_id, request, **options)

    monkeypatch.setattr(AIOKafkaClient, "send", noted)
    return fetches


def test_a_fetch_that_leaves_an_unread_partition_out_waits_shortly() -> None:
    waits: list[int] = []
    fetcher = SimpleNamespace(_records=collections.OrderedDict(), _fetch_max_wait_ms=0)
    fetcher._get_actions_per_node = lambda _: waits.append(fetcher._fetch_max_wait_ms)
    _wait_longer_for_whole_fetches(fetcher)
    fetcher._get_actions_per_node(None)
    fetcher._records["a partition"] = "unread"
    fetcher._get_actions_per_node(None)
    fetcher._records.clear()
    fetcher._get_actions_per_node(None)
    assert waits == [LONG, SHORT, LONG]
