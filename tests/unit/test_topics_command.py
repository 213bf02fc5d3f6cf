"""`throughline topics`: what it needs to know is where Kafka is, and nothing else."""

import os
from typing import Any

import pytest

from deploy import topics
from deploy.cli import main
from shared.events.topics import TOPICS
from shared.streams.admin import TopicFound

COMMANDS = pytest.mark.parametrize("command", ["list", "create"])


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Where a Kafka that has every topic was asked for them, and with which prefix."""
    places: list[tuple[str, str]] = []

    async def found(kafka: str, prefix: str) -> list[TopicFound]:
        places.append((kafka, prefix))
        return [TopicFound(topic, topic.partitions) for topic in TOPICS]

    async def created(kafka: str, prefix: str, **_: Any) -> list[str]:
        places.append((kafka, prefix))
        return []

    monkeypatch.setattr(topics, "list_topics", found)
    monkeypatch.setattr(topics, "create_topics", created)
    for name in os.environ:
        if name.startswith("THROUGHLINE_"):
            monkeypatch.delenv(name)
    return places


@COMMANDS
def test_topics_need_the_address_of_kafka_only(
    command: str, asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROUGHLINE_KAFKA", "127.0.0.1:1")
    assert main(["topics", command]) == 0
    monkeypatch.setenv("THROUGHLINE_PREFIX", "spring-")
    assert main(["topics", command]) == 0
    assert asked == [("127.0.0.1:1", ""), ("127.0.0.1:1", "spring-")]


@COMMANDS
def test_topics_are_not_looked_for_without_the_address_of_kafka(
    command: str, asked: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["topics", command]) != 0
    said = capsys.readouterr().err
    assert "THROUGHLINE_KAFKA" in said
    assert "MONGODB" not in said
    assert asked == []


@COMMANDS
def test_settings_of_services_may_be_there_and_unknown_ones_may_not(
    command: str,
    asked: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {"KAFKA": "127.0.0.1:1", "MONGODB": "mongodb://127.0.0.1:2", "INGEST_PORT": "8080"}
    for name, value in given.items():
        monkeypatch.setenv(f"THROUGHLINE_{name}", value)
    assert main(["topics", command]) == 0
    monkeypatch.setenv("THROUGHLINE_MONGO", "mongodb://127.0.0.1:2")
    assert main(["topics", command]) != 0
    assert "Did you mean THROUGHLINE_MONGODB?" in capsys.readouterr().err
    assert len(asked) == 1
