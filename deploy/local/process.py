"""One server process: started with its log in a file, ended by its process id."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

_TETHER = Path(__file__).with_name("tether.py")
_LOG_TAIL_LINES = 15


class LocalServerError(RuntimeError):
    """A local Kafka or MongoDB could not be started; the message says why and what to do."""


class ServerProcess:
    """A running server in its own session, so that Ctrl-C in the terminal does not reach it.

    It is killed when this process ends, however this process ends (on Linux).
    """

    def __init__(self, name: str, argv: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._popen = _forker.call(lambda: _popen(argv, log))

    @property
    def pid(self) -> int:
        """The process id of the server itself, not of a wrapper."""
        return self._popen.pid

    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._popen.poll() is not None

    def ask_to_stop(self) -> None:
        """Ask the process to end, without waiting."""
        self._signal(signal.SIGTERM)

    def stop(self, grace_seconds: float) -> None:
        """Ask the process to end, wait, and kill it if it is still there after the grace."""
        self.ask_to_stop()
        try:
            self._popen.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process without letting it tidy up."""
        self._signal(signal.SIGKILL)
        self._popen.wait()

    def wait_until(self, is_ready: Callable[[], bool], deadline_seconds: float) -> None:
        """Poll `is_ready` until it says yes; raise `LocalServerError` with the log's end if not."""
        deadline = time.monotonic() + deadline_seconds
        while not is_ready():
            if self.has_ended():
                raise self.error(f"ended while starting (exit code {self._popen.returncode})")
            if time.monotonic() > deadline:
                raise self.error(f"did not answer within {deadline_seconds:.0f} s")
            time.sleep(0.02)

    def error(self, what: str) -> LocalServerError:
        """An error about this server that ends with the last lines of its log."""
        return LocalServerError(f"{self.name} {what}. The end of its log:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines the server wrote, indented; never raises."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return "  (no log)"
        return "\n".join(f"  {line}" for line in lines[-_LOG_TAIL_LINES:]) or "  (empty)"

    def _signal(self, number: signal.Signals) -> None:
        # Popen does not signal a process it has already reaped, so a reused id is never hit.
        self._popen.send_signal(number)


def _popen(argv: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class _Forker:
    """One thread that starts every server and lives as long as this process.

    Linux ends a tethered process when the *thread* that started it ends, so a server started from
    a short-lived worker thread would vanish with that worker.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._calls: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], _Result]]
        self._calls = queue.SimpleQueue()

    def call(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Run `start` on the long-lived thread and return what it returns."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="forker", daemon=True)
                self._thread.start()
        result: _Result = Future()
        self._calls.put((start, result))
        return result.result()

    def _run(self) -> None:
        while True:
            start, result = self._calls.get()
            try:
                result.set_result(start())
            except BaseException as error:  # handed to the caller, who raises it
                result.set_exception(error)


_Result = Future[subprocess.Popen[bytes]]
_forker = _Forker()
