"""Fixtures for a real Kafka and MongoDB: shared ones, and ones a test may break."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from deploy.local.kafka import LocalKafka
from deploy.local.kafka_jars import cached_jars, missing_tools
from deploy.local.mongodb import LocalMongo
from deploy.local.stack import Stack


class OwnKafka(Protocol):
    """Starts a Kafka that belongs to one test; `settings` are added to its server properties."""

    def __call__(self, **settings: str) -> LocalKafka: ...


class OwnMongodb(Protocol):
    """Starts a MongoDB that belongs to one test; `settings` are added server parameters."""

    def __call__(self, **settings: str) -> LocalMongo: ...


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """One Kafka and one MongoDB for the whole run, started when the first test asks."""
    with Stack(mongodb_settings={"enableTestCommands": "1"}) as stack:
        yield stack


@pytest.fixture(scope="session")
def kafka(stack: Stack) -> str:
    """The bootstrap servers of the shared Kafka; use topic and group names of your own."""
    return stack.kafka_bootstrap


@pytest.fixture(scope="session")
def mongodb(stack: Stack) -> str:
    """The connection string of the shared MongoDB; use a database name of your own."""
    return stack.mongodb_uri


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[OwnKafka]:
    """A factory of Kafkas that the test may stop, kill and restart."""
    missing = missing_tools(cached_jars())
    if missing and os.environ.get("THROUGHLINE_REQUIRE_REAL_KAFKA") != "1":
        pytest.skip(f"needs a real Kafka, and there is no {' and '.join(missing)}")
    started: list[LocalKafka] = []

    def start(**settings: str) -> LocalKafka:
        dotted = {name.replace("_", "."): value for name, value in settings.items()}
        server = LocalKafka(tmp_path / f"kafka-{len(started)}", settings=dotted)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def own_mongodb(tmp_path: Path) -> Iterator[OwnMongodb]:
    """A factory of MongoDBs that the test may stop, kill and restart."""
    started: list[LocalMongo] = []

    def start(**settings: str) -> LocalMongo:
        server = LocalMongo(tmp_path / f"mongodb-{len(started)}", settings=settings)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.kill()
