"""The AsyncAPI document: valid to the official parser, and what the services really do."""

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.openapi import built
from services.ingest.adapters.payloads.own_events import Stamp, translate
from services.ingest.domain.channels import Permission
from shared.contracts import CONTRACT_VERSION
from shared.contracts.asyncapi import SERVICES, asyncapi
from shared.contracts.examples import as_sent, examples
from shared.contracts.schemas import inbox_schema
from shared.events.topics import BY_NAME, CONTACT_INBOX, TOPICS
from tests.support.builders_ingest import IDS, NOW

ROOT = Path(__file__).resolve().parents[2]
PARSER = Path(__file__).parent / "asyncapi"
MESSAGE = "throughline.message.received.v1"


def _wrong_action(document: dict[str, Any]) -> None:
    document["operations"]["sla.receive.contact-events"]["action"] = "recieve"


def _no_such_channel(document: dict[str, Any]) -> None:
    document["operations"]["sla.receive.contact-events"]["channel"]["$ref"] = "#/channels/none"


def _no_such_schema(document: dict[str, Any]) -> None:
    document["components"]["messages"][MESSAGE]["payload"]["$ref"] = "./schemas/none.json"


def _no_payload_in_example(document: dict[str, Any]) -> None:
    document["components"]["messages"][MESSAGE]["examples"] = [{"paylod": {}}]


BREAKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "action": _wrong_action,
    "channels": _no_such_channel,
    "payload": _no_such_schema,
    "examples": _no_payload_in_example,
}
"""What is broken, by a word of the place where the parser must complain."""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the official parser says of the document, and of it broken in each way."""
    _require_parser()
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "docs/schemas", folder / "schemas")
    files = {"": ROOT / "docs/asyncapi.yaml"}
    for name, damage in BREAKS.items():
        document = yaml.safe_load(files[""].read_text())
        damage(document)
        files[name] = folder / f"{name}.yaml"
        files[name].write_text(yaml.safe_dump(document))
    done = subprocess.run(
        ["node", "check.mjs", *map(str, files.values())],
        cwd=PARSER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(files, json.loads(done.stdout), strict=True))


def _require_parser() -> None:
    if shutil.which("node") and (PARSER / "node_modules/@asyncapi/parser").is_dir():
        return
    why = "needs Node.js and `npm ci` in tests/contract/asyncapi (make test does it)"
    if os.environ.get("THROUGHLINE_REQUIRE_REAL_KAFKA") == "1":
        pytest.fail(why)
    pytest.skip(why)


def test_the_official_parser_has_no_error_and_finds_every_message_and_operation(
    parsed: dict[str, dict[str, Any]],
) -> None:
    assert parsed[""]["errors"] == []
    assert set(parsed[""]["messages"]) == {k.wire_type for t in TOPICS for k in t.events}
    assert set(parsed[""]["operations"]) == set(asyncapi()["operations"])


@pytest.mark.parametrize("where", BREAKS)
def test_the_official_parser_names_what_is_broken(
    parsed: dict[str, dict[str, Any]], where: str
) -> None:
    assert any(where in error for error in parsed[where]["errors"]), parsed[where]


def test_every_example_in_it_is_valid_by_the_schema_its_message_refers_to() -> None:
    messages = asyncapi()["components"]["messages"].values()
    for message in messages:
        schema = json.loads((ROOT / "docs" / message["payload"]["$ref"]).read_text())
        for example in message["examples"]:
            jsonschema.Draft202012Validator(schema).validate(example["payload"])
    assert all(message["examples"] for message in messages)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_an_operation_for_each_topic_it_reads_and_may_write(service: str) -> None:
    made = built(service)
    read = {f"{service}.receive.{topic}" for one in made._processors for topic in one.topics}
    written = {f"{service}.send.{t.name}" for t in TOPICS if made.publisher.may_write(t)}
    operations = asyncapi()["operations"]
    assert {name for name in operations if name.startswith(f"{service}.")} == read | written


def test_each_operation_lists_every_message_of_its_topic() -> None:
    for operation in asyncapi()["operations"].values():
        topic = BY_NAME[operation["channel"]["$ref"].rpartition("/")[2]]
        named = {message["$ref"].rpartition("/")[2] for message in operation["messages"]}
        assert named == {kind.wire_type for kind in topic.events}


def test_a_channel_tells_what_its_topic_is_created_with() -> None:
    for name, channel in asyncapi()["channels"].items():
        kafka, topic = channel["bindings"]["kafka"], BY_NAME[name]
        assert kafka["partitions"] == topic.partitions
        settings = kafka["topicConfiguration"]
        assert settings["retention.ms"] == topic.retention.total_seconds() * 1000
        assert settings["max.message.bytes"] == topic.max_message_bytes


@pytest.mark.parametrize("kind", CONTACT_INBOX.events, ids=lambda kind: kind.wire_type)
def test_what_the_inbox_schema_shows_is_what_ingest_takes(kind: Any) -> None:
    check = jsonschema.Draft202012Validator(inbox_schema(kind))
    stamp = Stamp(Permission(integrator="demo", customer_records=True), NOW, IDS)
    for event in examples()[kind.wire_type]:
        sent = as_sent(event)
        check.validate(sent)
        assert translate([sent], stamp)[1] == []
        wrong = {**sent, "data": {**sent["data"], "txet": "a typing error"}}
        assert not check.is_valid(wrong)
        assert translate([wrong], stamp)[1] != []
        for name in sent["data"]:
            without = {n: v for n, v in sent["data"].items() if n != name}
            if check.is_valid({**sent, "data": without}):
                assert translate([{**sent, "data": without}], stamp)[1] == [], name


def test_the_documents_have_the_version_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == CONTRACT_VERSION


def test_without_node_the_check_is_skipped_here_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("THROUGHLINE_REQUIRE_REAL_KAFKA", "1")
    with pytest.raises(pytest.fail.Exception, match=r"needs Node\.js"):
        _require_parser()
    monkeypatch.delenv("THROUGHLINE_REQUIRE_REAL_KAFKA")
    with pytest.raises(pytest.skip.Exception, match=r"needs Node\.js"):
        _require_parser()


def test_the_lock_file_names_no_address() -> None:
    lock = json.loads((PARSER / "package-lock.json").read_text())
    packages = [entry for place, entry in lock["packages"].items() if place]
    assert all("resolved" not in entry and "integrity" in entry for entry in packages)
