"""Apache Kafka as one local process: broker and controller in one, data in one folder."""

import base64
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.local.kafka_jars import KafkaJars, cached_jars, fetch_jars
from deploy.local.ports import free_ports
from deploy.local.process import LocalServerError, ServerProcess

# It answers after 1.5 s; a loaded machine may take many times that, and after a kill 3 s more.
_START_DEADLINE_SECONDS = 60
# It stops within 0.5 s; past this it hangs.
_STOP_GRACE_SECONDS = 10
_HEAP = ("-Xms128m", "-Xmx512m")
_JAVA = (
    "java",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # compiling well would cost a third of its short life
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)


class LocalKafka:
    """One Kafka on 127.0.0.1 that keeps its port and its data from start to start.

    `folder` is where it may write; `settings` are added to its server properties. Start it with
    `start()`, or with `launch()` and `wait_until_ready()` to do something else meanwhile.
    """

    supports_admin = True

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        jars: KafkaJars | None = None,
    ) -> None:
        self._folder = folder
        self._jars = jars or cached_jars()
        self._port, self._controller_port = free_ports(2)
        self._settings = dict(settings or {})
        self._process: ServerProcess | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, the same after a restart."""
        return f"127.0.0.1:{self._port}"

    @property
    def process(self) -> ServerProcess:
        """The running server; `LocalServerError` when it is not running."""
        if self._process is None:
            raise LocalServerError("Kafka is not running")
        return self._process

    def start(self) -> None:
        """Start Kafka and return when it answers."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start the process without waiting for it."""
        prepare(self._jars)
        self.launch_with(class_sharing(self._jars))

    def launch_with(self, jvm_options: Sequence[str]) -> None:
        """Start the process with these options of the JVM; the jars must be in the cache."""
        if not (self._folder / "data").exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            # Every local Kafka thus has the same cluster id, which nothing here looks at;
            # formatting anew would take another second each time.
            shutil.copytree(self._jars.formatted, self._folder / "data")
        properties = self._folder / "server.properties"
        properties.write_text(self._properties(self._folder / "data"))
        classpath = ("-cp", self._jars.classpath)
        self._process = ServerProcess(
            "Kafka",
            [*_JAVA, *_HEAP, *jvm_options, *classpath, "kafka.Kafka", str(properties)],
            self._folder / "kafka.log",
        )

    def wait_until_ready(self) -> None:
        """Return when Kafka names itself as a broker; `LocalServerError` when it does not."""
        try:
            self.process.wait_until(self._listens, _START_DEADLINE_SECONDS)
            self.process.wait_until(self._answers, _START_DEADLINE_SECONDS)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End Kafka in good order; nothing happens when it is not running."""
        if self._process is not None:
            self._process.stop(_STOP_GRACE_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End Kafka as a power cut would; nothing happens when it is not running."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def restart(self) -> None:
        """Stop Kafka and start it again on the same port with the same data."""
        self.stop()
        self.start()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        return True

    def _answers(self) -> bool:
        # Not aiokafka: this must also work on a thread whose event loop is running.
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        try:
            return bool(client.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def _properties(self, data: Path) -> str:
        return server_properties(data, self._port, self._controller_port, self._settings)


def server_properties(data: Path, port: int, controller_port: int, extra: Mapping[str, str]) -> str:
    """The text of `server.properties` for one node that is broker and controller."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",  # tests of dead owners need not wait 6 s
        "log.cleaner.dedupe.buffer.size": "1048577",  # its default claims 128 MB of the heap
        "log.dirs": str(data),
        # A killed broker is let back in only when its last session is over: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
    }
    return "".join(f"{name}={value}\n" for name, value in (settings | dict(extra)).items())


def prepare(jars: KafkaJars) -> None:
    """Fetch Kafka and archive its classes, unless both are in the cache already."""
    if not jars.exist():
        fetch_jars(jars, _format_storage)
    if not jars.class_archive.exists():
        _archive_classes(jars)


def class_sharing(jars: KafkaJars) -> tuple[str, ...]:
    """The JVM option that maps the archived classes instead of parsing them again.

    Measured on 2 cores: ready after 1.4 s instead of 2.4 s. A JVM that cannot use the archive
    (another version of Java) ignores it.
    """
    if not jars.class_archive.exists():
        return ()
    return (f"-XX:SharedArchiveFile={jars.class_archive}",)


def _format_storage(jars: KafkaJars) -> None:
    properties = jars.folder / "format.properties"
    properties.write_text(server_properties(jars.formatted, 9092, 9093, {}))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = ("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties))
    done = subprocess.run(
        [*_JAVA, "-cp", jars.classpath, *tool],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=_START_DEADLINE_SECONDS,
    )
    properties.unlink()
    if done.returncode:
        raise LocalServerError(f"Kafka could not format its storage:\n{done.stdout[-2000:]}")


def _archive_classes(jars: KafkaJars) -> None:
    """Run a broker once and let the JVM keep the classes it loaded: 6 s, once per user."""
    with tempfile.TemporaryDirectory(dir=jars.folder, prefix=".archive-") as temporary:
        archive = Path(temporary) / "classes.jsa"
        kafka = LocalKafka(Path(temporary), jars=jars)
        kafka.launch_with(
            ["-XX:+IgnoreUnrecognizedVMOptions", f"-XX:ArchiveClassesAtExit={archive}"]
        )
        kafka.wait_until_ready()
        kafka.stop()
        archive.touch()  # a JVM that wrote nothing now will not do so next time either
        archive.rename(jars.class_archive)
