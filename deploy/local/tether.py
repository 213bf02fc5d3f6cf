"""Start a program that dies with the process that asked for it, even if that one is killed.

It takes SIGTERM as usual, too: what its starter ignores it would ignore as well, and a JVM that
ignores SIGTERM cannot be asked to stop.

Run as `python tether.py PARENT_PID program argument…`; it becomes the program, under the same
process id. Standard library only, because it runs isolated from the installed packages.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Ask Linux to kill this process when `parent` ends; elsewhere do nothing."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the request was in place
        sys.exit(1)


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.execvp(sys.argv[2], sys.argv[2:])
