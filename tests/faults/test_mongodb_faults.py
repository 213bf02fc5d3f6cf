"""MongoDB steps down, answers with errors, is killed: nothing lost, nothing doubled, no help."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.mongodb import LocalMongo
from deploy.local.stack import Stack
from tests.support.books import Load, applied, assert_every_effect_once
from tests.support.deployment import Deployment, eventually
from tests.support.stack import OwnMongodb

TRANSIENT = {"errorLabels": ["TransientTransactionError"]}
FAULTS = (
    {"failCommands": ["commitTransaction"], "errorCode": 91},  # ShutdownInProgress
    {"failCommands": ["commitTransaction"], "errorCode": 251, **TRANSIENT},  # NoSuchTransaction
    # it has committed, and nobody hears of it
    {"failCommands": ["commitTransaction"], "writeConcernError": {"code": 91, "errmsg": "gone"}},
    {"failCommands": ["commitTransaction"], "closeConnection": True},
    {"failCommands": ["commitTransaction"], "errorCode": 11601},  # Interrupted: no label says retry
    {"failCommands": ["update"], "closeConnection": True},
    {"failCommands": ["update"], "errorCode": 91},
    {"failCommands": ["update"], "errorCode": 112, **TRANSIENT},  # WriteConflict
    {"failCommands": ["find"], "closeConnection": True},
    {"failCommands": ["find"], "errorCode": 11600},  # InterruptedAtShutdown
    {"failCommands": ["insert"], "closeConnection": True},
    {"failCommands": ["insert"], "errorCode": 10107},  # NotWritablePrimary
    {"failCommands": ["delete"], "closeConnection": True},
)


@pytest.fixture
def mongod(own_mongodb: OwnMongodb) -> LocalMongo:
    """A MongoDB this test may break."""
    return own_mongodb(enableTestCommands="1")


@pytest.fixture
async def deployment(stack: Stack, mongod: LocalMongo, tmp_path: Path) -> AsyncIterator[Deployment]:
    """A deployment on the shared Kafka and a MongoDB of its own."""
    one = Deployment(stack.kafka_bootstrap, mongod.uri, tmp_path)
    await one.create_topics()
    yield one
    await one.close()


async def test_a_step_down_under_load_loses_and_doubles_nothing(
    deployment: Deployment, mongod: LocalMongo
) -> None:
    async def step_down_twice() -> None:
        for _ in range(2):
            await asyncio.to_thread(_command, mongod, {"replSetStepDown": 1, "force": True})
            await eventually(lambda: asyncio.to_thread(_is_primary, mongod), "elected again")

    await _break_under_load(deployment, step_down_twice)


async def test_a_mongod_killed_under_load_loses_and_doubles_nothing(
    deployment: Deployment, mongod: LocalMongo
) -> None:
    async def kill_and_start() -> None:
        await asyncio.to_thread(mongod.kill)
        await asyncio.sleep(2)  # long enough that batches and timers have to wait
        await asyncio.to_thread(mongod.start)

    await _break_under_load(deployment, kill_and_start)


async def test_commands_that_fail_under_load_lose_and_double_nothing(
    deployment: Deployment, mongod: LocalMongo
) -> None:
    async def fail_one_after_another() -> None:
        for fault in FAULTS:
            struck = await asyncio.to_thread(_fail, mongod, fault, 2)
            await eventually(lambda n=struck: _has_struck(mongod, n + 2), f"{fault} struck twice")

    await _break_under_load(deployment, fail_one_after_another)


async def _break_under_load(deployment: Deployment, break_it: Any) -> None:
    """Publish steadily, break something meanwhile, and audit the books afterwards."""
    process = deployment.start("tests.support.ledger")
    database = deployment.database("ledger")

    async def begun() -> bool:
        return await applied(database) >= 20

    try:
        async with Load(deployment) as load:
            await eventually(begun, "the load has begun")
            await break_it()
    finally:
        database.close()
    await assert_every_effect_once(deployment, load.events)
    assert await process.stop() == 0, process.log.read_text()


def _command(mongod: LocalMongo, command: dict[str, Any]) -> Any:
    with _client(mongod) as client:
        return client.admin.command(command)


def _fail(mongod: LocalMongo, fault: dict[str, Any], times: int) -> int:
    """Let commands fail; return how often the fail point had struck before."""
    point = {"configureFailPoint": "failCommand", "mode": {"times": times}, "data": fault}
    return int(_command(mongod, point)["count"])


async def _has_struck(mongod: LocalMongo, times: int) -> bool:
    asked = {"getParameter": 1, "failpoint.failCommand": 1}
    answer = await asyncio.to_thread(_command, mongod, asked)
    return bool(answer["failpoint.failCommand"]["timesEntered"] >= times)


def _is_primary(mongod: LocalMongo) -> bool:
    try:
        return bool(_command(mongod, {"hello": 1}).get("isWritablePrimary"))
    except PyMongoError:
        return False


def _client(mongod: LocalMongo) -> MongoClient[dict[str, Any]]:
    uri = mongod.uri.partition("?")[0]
    return MongoClient(uri, directConnection=True, serverSelectionTimeoutMS=2_000)
