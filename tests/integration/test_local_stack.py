"""The local Kafka and MongoDB answer, keep their data, and never outlive who started them."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo import MongoClient

from deploy.local.kafka import LocalKafka
from deploy.local.kafka_jars import kafka_version
from deploy.local.mongodb import LocalMongo
from deploy.local.ports import free_port, free_ports
from deploy.local.process import LocalServerError, ServerProcess
from deploy.local.stack import Stack
from tests.support.processes import (
    as_from_a_terminal,
    children_of,
    ignoring,
    is_running,
    wait_until,
)
from tests.support.stack import OwnKafka, OwnMongodb

ROOT = Path(__file__).parents[2]
EPHEMERAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST_EPHEMERAL_PORT = int(EPHEMERAL_PORTS.read_text().split()[0])
NOBODY = {"THROUGHLINE_KAFKA": "127.0.0.1:1", "THROUGHLINE_MONGODB": "mongodb://127.0.0.1:1"}


async def create_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value, partition=0)


async def first_record(bootstrap: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    async with consumer:
        return (await consumer.getone()).value


def collection(uri: str) -> Any:
    return MongoClient(uri, serverSelectionTimeoutMS=10_000)["test_local_stack"]["entries"]


def _program(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def stop_and_start(server: LocalKafka | LocalMongo) -> None:
    server.restart()


def kill_and_start(server: LocalKafka | LocalMongo) -> None:
    server.kill()
    server.start()


INTERRUPTIONS = pytest.mark.parametrize("interrupt", [stop_and_start, kill_and_start])
Interrupt = Callable[[LocalKafka | LocalMongo], None]


async def test_kafka_takes_a_record_and_gives_it_back(stack: Stack, kafka: str) -> None:
    if stack.supports_admin:
        await create_topic(kafka, "local-stack")
    await produce(kafka, "local-stack", b"hello")
    assert await first_record(kafka, "local-stack") == b"hello"


def test_mongodb_commits_a_transaction(mongodb: str) -> None:
    entries = collection(mongodb)
    entries.insert_one({"_id": "exists"})
    with entries.database.client.start_session() as session, session.start_transaction():
        entries.insert_one({"_id": "committed"}, session=session)
    assert entries.find_one({"_id": "committed"})
    entries.database.client.drop_database(entries.database)


def test_mongodb_gives_up_a_frozen_transaction_after_five_seconds(mongodb: str) -> None:
    parameter = {"getParameter": 1, "transactionLifetimeLimitSeconds": 1}
    limit = MongoClient(mongodb).admin.command(parameter)["transactionLifetimeLimitSeconds"]
    assert limit == 5


@INTERRUPTIONS
async def test_kafka_comes_back_on_its_address_with_its_data(
    own_kafka: OwnKafka, interrupt: Interrupt
) -> None:
    server = own_kafka()
    address = server.bootstrap
    await create_topic(address, "kept")
    await produce(address, "kept", b"still here")
    interrupt(server)
    assert server.bootstrap == address
    assert await first_record(address, "kept") == b"still here"


@INTERRUPTIONS
def test_mongodb_comes_back_on_its_address_with_its_data(
    own_mongodb: OwnMongodb, interrupt: Interrupt
) -> None:
    server = own_mongodb()
    address = server.uri
    collection(address).insert_one({"_id": "kept"})
    interrupt(server)
    assert server.uri == address
    assert collection(address).find_one({"_id": "kept"})


def test_a_stopped_server_leaves_no_process(own_kafka: OwnKafka, own_mongodb: OwnMongodb) -> None:
    servers = own_kafka(), own_mongodb()
    pids = [server.process.pid for server in servers]
    assert all(is_running(pid) for pid in pids)
    for server in servers:
        server.stop()
    assert not any(is_running(pid) for pid in pids)


def test_stopping_twice_is_harmless(own_mongodb: OwnMongodb) -> None:
    server = own_mongodb()
    server.stop()
    server.stop()
    server.kill()


def test_a_server_outlives_the_thread_that_started_it(own_mongodb: OwnMongodb) -> None:
    servers: list[LocalMongo] = []
    worker = threading.Thread(target=lambda: servers.append(own_mongodb()))
    worker.start()
    worker.join()
    collection(servers[0].uri).insert_one({"_id": "written after the thread ended"})
    assert not servers[0].process.has_ended()


def test_a_server_is_out_of_reach_of_the_terminals_ctrl_c(own_mongodb: OwnMongodb) -> None:
    assert os.getsid(own_mongodb().process.pid) != os.getsid(0)


def test_a_server_takes_sigterm_even_where_its_starter_ignores_it(tmp_path: Path) -> None:
    with ignoring(signal.SIGTERM):
        server = ServerProcess("sleep", ["sleep", "60"], tmp_path / "log")
    try:
        wait_until(lambda: _program(server.pid) == "sleep", "the tether has become the program")
        server.ask_to_stop()
        wait_until(server.has_ended, "it has ended")
    finally:
        server.kill()


def test_a_server_that_does_not_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = LocalKafka(tmp_path, settings={"num.io.threads": "a-dozen"})
    with pytest.raises(LocalServerError, match="a-dozen"):
        server.start()


def test_missing_libraries_are_named_with_their_packages(tmp_path: Path) -> None:
    binary = tmp_path / "mongod"
    binary.write_text(
        "#!/bin/sh\necho error while loading shared libraries: libcurl.so.4\nexit 127"
    )
    binary.chmod(0o755)
    with pytest.raises(LocalServerError, match="apt-get install libssl3 libcurl4"):
        LocalMongo(tmp_path, binary=binary).start()


def test_named_servers_are_used_and_nothing_is_started() -> None:
    said: list[str] = []
    before = children_of(os.getpid())
    with Stack(environ=NOBODY, say=said.append) as stack:
        assert stack.kafka_bootstrap == NOBODY["THROUGHLINE_KAFKA"]
        assert stack.mongodb_uri == NOBODY["THROUGHLINE_MONGODB"]
        assert children_of(os.getpid()) == before
    assert said == []


def test_only_the_server_that_was_not_named_is_started() -> None:
    said: list[str] = []
    with Stack(environ={"THROUGHLINE_KAFKA": "127.0.0.1:1"}, say=said.append) as stack:
        assert stack.kafka_bootstrap == "127.0.0.1:1"
        assert collection(stack.mongodb_uri).find_one() is None
    assert [line.split(" in ")[0] for line in said] == ["starting MongoDB …", "MongoDB ready"]


def test_a_failing_block_ends_the_servers_and_removes_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(children_of(os.getpid()))
    with (
        pytest.raises(ZeroDivisionError),
        Stack(environ={"THROUGHLINE_KAFKA": "127.0.0.1:1"}),
    ):
        started = set(children_of(os.getpid())) - before
        assert len(started) == 1
        assert len(list(tmp_path.iterdir())) == 1
        raise ZeroDivisionError
    assert not any(is_running(pid) for pid in started)
    assert list(tmp_path.iterdir()) == []


async def test_without_java_the_in_process_broker_serves_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    said: list[str] = []
    with Stack(environ={"THROUGHLINE_MONGODB": "mongodb://127.0.0.1:1"}, say=said.append) as stack:
        assert not stack.supports_admin
        await produce(stack.kafka_bootstrap, "made-up-on-first-use", b"hello")
        assert await first_record(stack.kafka_bootstrap, "made-up-on-first-use") == b"hello"
    assert len(said) == 1
    assert "in-process broker" in said[0]


def test_without_java_ci_fails_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with (
        pytest.raises(LocalServerError, match="openjdk-17-jre-headless"),
        Stack(environ={"THROUGHLINE_REQUIRE_REAL_KAFKA": "1"}),
    ):
        pass


@pytest.mark.skipif(FIRST_EPHEMERAL_PORT < 25_000, reason="no room below the ephemeral ports")
def test_ports_are_free_and_below_those_of_outgoing_connections() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert max(ports) < FIRST_EPHEMERAL_PORT


def test_a_taken_port_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, free = free_ports(2)
    with socket.create_server(("127.0.0.1", taken)):
        draws = iter([taken, taken, free])
        monkeypatch.setattr("secrets.SystemRandom.randrange", lambda *_: next(draws))
        assert free_port() == free


class Command:
    """A running `python -m deploy.local` in a session of its own, like a terminal's."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        environ = {k: v for k, v in os.environ.items() if not k.startswith("THROUGHLINE_")}
        self.popen = subprocess.Popen(
            as_from_a_terminal([sys.executable, "-u", "-m", "deploy.local"]),
            cwd=ROOT,
            env=environ | {"TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_for_addresses(self) -> dict[str, str]:
        assert self.popen.stdout
        lines = [self.popen.stdout.readline().strip() for _ in range(2)]
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = Command(temporary)
    yield command
    command.popen.kill()
    command.popen.communicate()


def test_the_command_prints_addresses_that_answer(command: Command) -> None:
    addresses = command.wait_for_addresses()
    assert collection(addresses["THROUGHLINE_MONGODB"]).find_one() is None
    host, port = addresses["THROUGHLINE_KAFKA"].split(":")
    socket.create_connection((host, int(port))).close()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_command_from_a_terminal_ignores_no_signal_that_we_ignore(number: signal.Signals) -> None:
    with ignoring(number):
        child = subprocess.Popen(as_from_a_terminal(["sleep", "60"]))
    try:
        wait_until(lambda: _program(child.pid) == "sleep", "the command has begun")
        child.send_signal(number)
        assert child.wait(20) == -number
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_everything_and_leaves_nothing(command: Command, number: int) -> None:
    command.wait_for_addresses()
    servers = children_of(command.popen.pid)
    assert len(servers) == 2
    assert list(command.temporary.iterdir())
    os.killpg(command.popen.pid, number)
    assert command.popen.wait(20) == 0
    assert not any(is_running(pid) for pid in servers)
    assert list(command.temporary.iterdir()) == []


def test_ctrl_c_while_starting_ends_everything_and_leaves_nothing(command: Command) -> None:
    wait_until(lambda: len(children_of(command.popen.pid)) == 2, "both servers launched")
    servers = children_of(command.popen.pid)
    os.killpg(command.popen.pid, signal.SIGINT)
    assert command.popen.wait(20) == 0
    assert not any(is_running(pid) for pid in servers)
    assert list(command.temporary.iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux ends tethered processes")
def test_a_killed_parent_takes_its_servers_with_it(command: Command) -> None:
    command.wait_for_addresses()
    servers = children_of(command.popen.pid)
    assert len(servers) == 2
    command.popen.kill()
    wait_until(lambda: not any(is_running(pid) for pid in servers), "the servers ended")


def test_the_version_of_kafka_comes_from_the_pom() -> None:
    assert (
        f"<version>{kafka_version()}</version>"
        in (ROOT / "deploy" / "local" / "pom.xml").read_text()
    )
