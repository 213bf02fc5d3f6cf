"""Labelled crash points: places where a test can kill or freeze the process.

`THROUGHLINE_CRASH_AT=label:n` ends the process the n-th time it comes to `label`, as `kill -9`
would; `label:n:stop` freezes it there, as SIGSTOP does, until somebody sends SIGCONT. Without the
variable a crash point costs one call. The labels, in the order a batch passes them, are in
`LABELS`; `tick-` labels are those of timers. `REPLY_LABELS` are those a reply passes on its way
out.
"""

import os
import signal
from collections.abc import Callable

LABELS = (
    "claimed",  # epoch taken, nothing published yet
    "leftovers-published",  # the predecessor's outbox is out, not yet deleted
    "batch-received",
    "position-advanced",  # inside the transaction
    "state-written",
    "outbox-written",
    "before-commit",
    "committed",
    "published",
    "outbox-deleted",
    "offsets-committed",
    "tick-received",
    "tick-position-advanced",
    "tick-state-written",
    "tick-outbox-written",
    "tick-before-commit",
    "tick-committed",
    "tick-published",
    "tick-outbox-deleted",
)
REPLY_LABELS = (
    "reply-stored",  # durable, not yet answered for
    "reply-claimed",  # leased, nothing done
    "reply-marked",  # `sending` is written down, the call not made
    "reply-called",  # the provider has answered, nothing written down
    "reply-settled",  # the outcome is written down, not yet published
    "reply-published",  # its event is out, not yet marked as finished
)
_EXIT_AS_IF_KILLED = 137  # 128 + SIGKILL


def _armed(setting: str) -> Callable[[str], None]:
    label, count, how = (*setting.split(":"), "", "")[:3]
    if label not in (*LABELS, *REPLY_LABELS) or how not in ("", "stop"):
        raise ValueError(f"THROUGHLINE_CRASH_AT names no crash point: {setting}")
    left = int(count or 1)

    def crash_point(here: str) -> None:
        nonlocal left
        if here == label:
            left -= 1
            if left == 0 and how == "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            elif left == 0:
                os._exit(_EXIT_AS_IF_KILLED)

    return crash_point


def _disarmed(_here: str) -> None:
    return


_setting = os.environ.get("THROUGHLINE_CRASH_AT")
crash_point: Callable[[str], None] = _armed(_setting) if _setting else _disarmed
