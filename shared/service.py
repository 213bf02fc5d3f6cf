"""One service, one process: start, serve, drain, stop; every service is built on this.

Start: answer health at once, wait for MongoDB, make collections, then consume and serve. Stop (on
SIGTERM or SIGINT): not ready, long connections say goodbye (`on_stop`), no new HTTP, no new batch,
the running one ends, offsets are committed, the group is left. A consume loop that dies ends the
process with status 70, so that whoever supervises it starts a fresh one.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from pymongo.errors import PyMongoError

from shared.clock import Clock, SystemClock
from shared.errors import ThroughlineError
from shared.http_server import Server
from shared.mongo import Collection, Database
from shared.observability import Health, Metric, Metrics, Progress, configure_logging, get_logger
from shared.observability.metrics import STREAM_METRICS
from shared.operations import ops_app
from shared.settings import ServiceSettings
from shared.streams import STREAM_COLLECTIONS, Consumer, Processor, Publisher, Scope, Worker

EXIT_FAILED = 70  # EX_SOFTWARE of sysexits.h: restart me
EXIT_REFUSED = 1  # settings, policy or the dead-letter limit: a restart alone will not help
DRAIN = 20.0  # seconds for the running batch; the pod's grace period of 60 s covers it twice
_DISCONNECT = 5.0  # seconds to leave a group or end a connection

Task = Callable[[], Awaitable[None]]
Loop = Callable[[Progress], Awaitable[None]]


class Service:
    """Everything one service is made of, built by its `create_app`.

    `tasks` run for as long as the service does, and tick for as long as they get on; `drains` are
    awaited when it stops, while MongoDB and Kafka are still there, to end what the tasks have
    begun.
    """

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        *,
        database: Database,
        publisher: Publisher,
        processors: Sequence[Processor] = (),
        collections: Sequence[Collection] = (),
        metrics: Sequence[Metric] = (),
        http: Any = None,
        tasks: Sequence[Loop] = (),
        drains: Sequence[Task] = (),
        on_stop: Sequence[Task] = (),
        clock: Clock | None = None,
    ) -> None:
        self.name, self.settings = name, settings
        self.database, self.publisher = database, publisher
        self.http = http
        self.metrics = Metrics((*STREAM_METRICS, *metrics))
        self.health = Health(database.ping)
        self._processors, self._collections, self._tasks = processors, collections, tasks
        self._drains = drains
        self._on_stop = on_stop
        self._clock = clock or SystemClock()
        self._log = get_logger(name)
        self._workers: list[Worker] = []
        self._consumers: list[Consumer] = []

    def run(self) -> int:
        """Run until told to stop; return the exit status."""
        configure_logging(self.name, self.settings.common.log_level)
        try:
            return uvicorn_loop(self.serve())
        except KeyboardInterrupt:
            return 0

    async def serve(self, stop: asyncio.Event | None = None) -> int:
        """Run until `stop` is set (by default: SIGTERM or SIGINT); return the exit status."""
        stop = stop or _stop_on_signal()
        running = [asyncio.create_task(self.health.watch(), name="health")]
        ops = Server(ops_app(self.health, self.metrics), self.settings.host, self.settings.ops_port)
        running.append(asyncio.create_task(ops.serve(), name="ops"))
        stopped = asyncio.create_task(stop.wait(), name="stop")
        starting = asyncio.create_task(self._start(running), name="start")
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
        try:
            status = await self._supervise(starting, stopped, running)
        finally:
            await self._stop()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return status

    async def _start(self, running: list[asyncio.Task[Any]]) -> None:
        await self._prepare_database()
        running.append(await self.publisher.start())
        for processor in self._processors:
            running += self._start_processor(processor)
        for task in self._tasks:
            running.append(asyncio.create_task(_awaited(task(self.health)), name=_name_of(task)))
        if self.http is not None:
            self._http = Server(self.http, self.settings.host, self.settings.port)
            running.append(asyncio.create_task(self._http.serve(), name="http"))
            await self._http.answering(running[-1])
        gc.collect()
        gc.freeze()  # what start-up made lives as long as the process: never look at it again
        gc.set_threshold(50_000, 20, 20)
        self.health.started = True
        self._log.info("started", address=f"{self.settings.host}:{self.settings.port}")

    async def _prepare_database(self) -> None:
        while True:
            try:
                await self.database.ensure((*STREAM_COLLECTIONS, *self._collections))
            except PyMongoError as error:
                self._log.warning("start waits for MongoDB", error=type(error).__name__)
                await asyncio.sleep(1.0)
            else:
                return

    def _start_processor(self, processor: Processor) -> list[asyncio.Task[Any]]:
        common = self.settings.common
        scope = Scope(
            name=processor.name,
            prefix=common.prefix,
            clock=self._clock,
            metrics=self.metrics,
            health=self.health,
            log=self._log,
            session_timeout=common.session_timeout,
            limit_dead_letters=common.limit_dead_letters,
        )
        worker = Worker(processor, scope, self.database, self.publisher)
        consumer = Consumer(common.kafka, worker)
        self._workers.append(worker)
        self._consumers.append(consumer)
        return [
            asyncio.create_task(worker.run(), name=f"{processor.name} timers"),
            asyncio.create_task(consumer.run(), name=f"{processor.name} consumer"),
        ]

    async def _supervise(
        self,
        starting: asyncio.Task[None],
        stopped: asyncio.Task[Any],
        running: Sequence[asyncio.Task[Any]],
    ) -> int:
        """Wait for the order to stop or for the first thing that fails; return the status."""
        if stopped.done():
            return 0
        if error := starting.exception():
            return self._report(error)
        failures = [worker.failed for worker in self._workers]
        done, _ = await asyncio.wait(
            {stopped, *running, *failures}, return_when=asyncio.FIRST_COMPLETED
        )
        if stopped in done:
            return 0
        for future in failures:
            if future.done():
                return self._report(future.result())
        ended = next(iter(done))
        name = ended.get_name() if isinstance(ended, asyncio.Task) else "task"
        self._log.error("a part of the service ended by itself", where=name)
        error = ended.exception() if not ended.cancelled() else None
        return self._report(error) if error else EXIT_FAILED

    def _report(self, error: BaseException) -> int:
        if isinstance(error, ThroughlineError):
            self._log.error("stopped", problem=error.problem, fix=error.fix)
            return EXIT_REFUSED
        self._log.error("stopped", exc_info=error)
        return EXIT_FAILED

    async def _stop(self) -> None:
        self.health.draining = True
        self._log.info("draining")
        if getattr(self, "_http", None) is not None:
            await asyncio.gather(*(self._disconnect(_awaited(leave())) for leave in self._on_stop))
            await self._http.stop()
        await asyncio.gather(
            *(worker.stop(DRAIN) for worker in self._workers), *map(_drained, self._drains)
        )
        for consumer in self._consumers:
            await self._disconnect(consumer.stop())
        await self._disconnect(self.publisher.stop())
        self.database.close()
        self._log.info("stopped in good order")

    async def _disconnect(self, stopping: Coroutine[Any, Any, None]) -> None:
        """Say goodbye, but not for ever: everything that matters is in MongoDB by now.

        Without a broker aiokafka looks for its group's coordinator with no limit of time.
        """
        done, _ = await asyncio.wait({asyncio.create_task(stopping)}, timeout=_DISCONNECT)
        if not done:
            self._log.warning("disconnected without an answer", where="stop")
        for task in done:
            if error := task.exception():
                self._log.warning("disconnecting failed", error=type(error).__name__)


def uvicorn_loop(main: Any) -> int:
    """Run a coroutine on uvloop."""
    import uvloop

    status: int = uvloop.run(main)
    return status


def _stop_on_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _awaited(running: Awaitable[None]) -> None:
    await running


def _name_of(task: Loop) -> str:
    return str(getattr(task, "__qualname__", ""))


async def _drained(drain: Task) -> None:
    """Let a task end what it has begun, but not for ever."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN):
            await drain()
