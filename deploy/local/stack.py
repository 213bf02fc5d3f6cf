"""Kafka and MongoDB together: the ones that were named, or local ones for as long as needed."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from deploy.local.kafka import LocalKafka, prepare
from deploy.local.kafka_jars import cached_jars, kafka_version, missing_tools
from deploy.local.kafka_stub import KafkaStub
from deploy.local.mongodb import LocalMongo
from deploy.local.process import LocalServerError

Say = Callable[[str], None]


class _Server(Protocol):
    def launch(self) -> None: ...
    def wait_until_ready(self) -> None: ...
    def stop(self) -> None: ...


class Stack:
    """The addresses of a Kafka and a MongoDB that answer while the `with` block runs.

    `THROUGHLINE_KAFKA` and `THROUGHLINE_MONGODB` in `environ` name servers that exist; nothing is
    started or stopped for those. With `THROUGHLINE_REQUIRE_REAL_KAFKA=1` a machine without Java
    is an error rather than a reason to use the in-process broker. `mongodb_settings` are server
    parameters for a MongoDB started here; `say` gets one line of progress at a time.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str] | None = None,
        mongodb_settings: Mapping[str, str] | None = None,
        say: Say = print,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._mongodb_settings = mongodb_settings
        self._say = say
        self._folder: Path | None = None
        self._kafka: LocalKafka | KafkaStub | None = None
        self._mongodb: LocalMongo | None = None

    @property
    def kafka_bootstrap(self) -> str:
        """The bootstrap servers of Kafka, as `host:port`."""
        return self._kafka.bootstrap if self._kafka else self._environ["THROUGHLINE_KAFKA"]

    @property
    def mongodb_uri(self) -> str:
        """The connection string of MongoDB."""
        return self._mongodb.uri if self._mongodb else self._environ["THROUGHLINE_MONGODB"]

    @property
    def supports_admin(self) -> bool:
        """Whether topics can be created; the in-process broker makes them up instead."""
        return self._kafka.supports_admin if self._kafka else True

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End what was started here and remove its folder."""
        try:
            for server in (self._kafka, self._mongodb):
                if server is not None:
                    server.stop()
        finally:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _start(self) -> None:
        needs_kafka = not self._environ.get("THROUGHLINE_KAFKA")
        needs_mongodb = not self._environ.get("THROUGHLINE_MONGODB")
        if needs_kafka or needs_mongodb:
            self._folder = Path(tempfile.mkdtemp(prefix="throughline-"))
        # Both are launched before either is waited for, so they start at the same time.
        started: list[tuple[str, _Server, float]] = []
        if needs_kafka:
            self._kafka = self._choose_kafka()
            if isinstance(self._kafka, LocalKafka):
                self._prepare_kafka()
                started.append(self._launch(f"Kafka {kafka_version()}", self._kafka))
            else:
                self._kafka.start()
        if needs_mongodb:
            self._mongodb = LocalMongo(self._subfolder("mongodb"), settings=self._mongodb_settings)
            started.insert(0, self._launch("MongoDB", self._mongodb))  # ready long before Kafka
        for name, server, since in started:
            server.wait_until_ready()
            self._say(f"{name} ready in {time.monotonic() - since:.1f} s")

    def _launch(self, name: str, server: _Server) -> tuple[str, _Server, float]:
        self._say(f"starting {name} …")
        since = time.monotonic()
        server.launch()
        return name, server, since

    def _choose_kafka(self) -> LocalKafka | KafkaStub:
        missing = " and ".join(missing_tools(cached_jars()))
        if not missing:
            return LocalKafka(self._subfolder("kafka"))
        if self._environ.get("THROUGHLINE_REQUIRE_REAL_KAFKA") == "1":
            raise LocalServerError(
                f"Kafka needs {missing} (Java 17 or newer): "
                "apt-get install openjdk-17-jre-headless maven"
            )
        self._say(f"no {missing} here: using librdkafka's in-process broker instead of Kafka")
        return KafkaStub()

    def _prepare_kafka(self) -> None:
        jars = cached_jars()
        if not jars.class_archive.exists():
            self._say(f"fetching Kafka {kafka_version()}, 44 MB, once for this user …")
        prepare(jars)

    def _subfolder(self, name: str) -> Path:
        if self._folder is None:
            raise LocalServerError("the stack has no folder before it starts")
        return self._folder / name
