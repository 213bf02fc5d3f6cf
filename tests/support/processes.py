"""Looking at processes from the outside, and waiting for what they do."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_AS_USUAL = """
import os, signal, sys
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def as_from_a_terminal(argv: Sequence[str]) -> list[str]:
    """Return the command as a terminal would start it: Ctrl-C reaches it.

    A shell starts what runs in the background with SIGINT ignored, and every child inherits that:
    pytest does, and what it starts would, too. The process id is the command's own.
    """
    return [sys.executable, "-I", "-S", "-c", _AS_USUAL, *argv]


@contextmanager
def ignoring(*numbers: signal.Signals) -> Iterator[None]:
    """Ignore signals for a while, as a process in the background of a shell does."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def is_running(pid: int) -> bool:
    """Whether the process exists and is more than an entry that nobody has collected yet."""
    return state_of(pid) not in ("", "Z")


def state_of(pid: int) -> str:
    """The letter of the process's state as in proc(5), such as `T` for frozen; "" when gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return status.rpartition(")")[2].split()[0]


def children_of(pid: int) -> list[int]:
    """The process ids of a process's direct children."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for children in lists for child in children.read_text().split()]


def wait_until(holds: Callable[[], bool], what: str, deadline_seconds: float = 45) -> None:
    """Return as soon as `holds()`; fail the test, naming `what`, when it never does."""
    deadline = time.monotonic() + deadline_seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {deadline_seconds} s: {what}")
        time.sleep(0.02)
