"""Looking at processes from the outside, and waiting for what they do."""

import time
from collections.abc import Callable
from pathlib import Path


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


def wait_until(holds: Callable[[], bool], what: str, deadline_seconds: float = 20) -> None:
    """Return as soon as `holds()`; fail the test, naming `what`, when it never does."""
    deadline = time.monotonic() + deadline_seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {deadline_seconds} s: {what}")
        time.sleep(0.02)
