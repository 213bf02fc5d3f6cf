"""`python -m deploy.local`: a Kafka and a MongoDB until Ctrl-C."""

import signal
import sys
import threading
from types import FrameType

from deploy.local.process import LocalServerError
from deploy.local.stack import Stack


def main() -> int:
    """Start both, print their addresses as settings, and wait to be told to stop."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Stack(say=_say) as stack:
            print(f"THROUGHLINE_KAFKA={stack.kafka_bootstrap}")
            print(f"THROUGHLINE_MONGODB={stack.mongodb_uri}")
            _say("both are there until Ctrl-C")
            threading.Event().wait()
    except KeyboardInterrupt:
        _say("both have ended")
    except LocalServerError as error:
        _say(str(error))
        return 1
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    # On standard error, so that the settings can be piped on.
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
