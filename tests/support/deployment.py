"""A deployment of its own for a test: a prefix for topics, groups and databases, and processes.

Tests share one Kafka and one MongoDB; the prefix keeps them apart.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.ports import free_port
from deploy.local.stack import Stack
from shared.events.topics import TOPICS, Topic
from shared.mongo import Database
from shared.streams.admin import create_topics
from tests.support.processes import state_of

ID_KEY = "a key for tests, long enough"


class Deployment:
    """Names and addresses of one test's deployment, and the processes it started."""

    def __init__(self, kafka: str, mongodb: str, folder: Path, prefix: str | None = None) -> None:
        self.kafka, self.mongodb, self.folder = kafka, mongodb, folder
        self.prefix = prefix if prefix is not None else f"t{uuid.uuid4().hex[:8]}-"
        self._processes: list[subprocess.Popen[bytes]] = []

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a service process."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("THROUGHLINE_")}
        return {
            **clean,
            "PYTHONPATH": str(Path.cwd()),
            "THROUGHLINE_KAFKA": self.kafka,
            "THROUGHLINE_MONGODB": self.mongodb,
            "THROUGHLINE_PREFIX": self.prefix,
            "THROUGHLINE_ID_KEY": ID_KEY,
            "THROUGHLINE_SESSION_TIMEOUT": "2",
            **more,
        }

    def start(self, module: str, *, service: str = "profile", **more: str) -> "Running":
        """Start `python -m module` (arguments may follow) as a service process on free ports."""
        ops_port = free_port()
        environment = self.environment(
            **{
                f"THROUGHLINE_{service.upper()}_PORT": str(free_port()),
                f"THROUGHLINE_{service.upper()}_OPS_PORT": str(ops_port),
                **more,
            }
        )
        log = self.folder / f"{module.replace(' ', '-')}-{len(self._processes)}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", *module.split()], env=environment, stdout=sink, stderr=sink
            )
        self._processes.append(process)
        return Running(process, log, ops_port)

    def database(self, service: str) -> Database:
        """Return a service's database."""
        return Database(self.mongodb, f"{self.prefix}throughline-{service}")

    async def create_topics(self, topics: Sequence[Topic] = TOPICS) -> None:
        """Create the topics under this deployment's prefix."""
        await create_topics(self.kafka, self.prefix, replication=1, topics=topics)

    async def close(self) -> None:
        """End every process by its id and drop the databases."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        database = self.database("any")
        for name in await database.client.list_database_names():
            if name.startswith(f"{self.prefix}throughline-"):
                await database.client.drop_database(name)
        database.close()


class Running:
    """One service process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, ops_port: int) -> None:
        self.process, self.log, self.ops_port = process, log, ops_port

    async def ended(self, seconds: float = 30.0) -> int:
        """Return the exit status once the process has ended."""
        return await asyncio.to_thread(self.process.wait, seconds)

    async def stop(self, seconds: float = 30.0) -> int:
        """Ask the process to stop (SIGTERM) and return its exit status."""
        self.process.terminate()
        return await self.ended(seconds)

    async def stopped(self, seconds: float = 30.0) -> None:
        """Return when the process is frozen (SIGSTOP)."""

        async def frozen() -> bool:
            return state_of(self.process.pid) == "T"

        await eventually(frozen, f"the process is frozen: {self.log.read_text()}", seconds)

    async def get(self, path: str) -> tuple[int, str]:
        """Ask the operations port; return status and body, or (0, "") when nobody answers."""
        try:
            async with httpx.AsyncClient(timeout=5.0) as client:
                answer = await client.get(f"http://127.0.0.1:{self.ops_port}{path}")
        except httpx.HTTPError:
            return 0, ""
        return answer.status_code, answer.text

    async def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels, 0 when it was never counted."""
        _, text = await self.get("/metrics")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        pattern = re.compile(rf"throughline_{name}(\{{.*\}})? (\S+)")
        return sum(float(match[2]) for line in lines if (match := pattern.fullmatch(line)))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self.process.send_signal(number)


async def eventually(
    check: Callable[[], Awaitable[Any]], what: str, seconds: float = 45.0, every: float = 0.1
) -> Any:
    """Return the first true value of `check`; fail naming `what` when it never is."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        value = await check()
        if value:
            return value
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(every)


@pytest.fixture
async def deployment(stack: Stack, tmp_path: Path) -> AsyncIterator[Deployment]:
    """A deployment with all topics, on the shared Kafka and MongoDB."""
    one = Deployment(stack.kafka_bootstrap, stack.mongodb_uri, tmp_path)
    await one.create_topics()
    yield one
    await one.close()
