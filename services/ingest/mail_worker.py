"""The process that large mails are read in: `python -m services.ingest.mail_worker`.

It takes jobs (seconds, a function, what it is given) on standard input and answers on standard
output, both as a length in 8 bytes and a pickle; it ends when its input does. It has no secret,
writes no file, and the kernel ends it beyond its limits of memory and processor time.
"""

import math
import os
import pickle
import resource
import struct
import sys
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO

from services.ingest.adapters.contract import Adapter, Parsed
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain import limits
from services.ingest.parse import read
from shared.ids import KeyedIds

_LENGTH = struct.Struct("!Q")


def main() -> None:
    """Answer jobs until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the answers
    _limit()
    _send(answers, b"ready")
    while length := sys.stdin.buffer.read(_LENGTH.size):
        job = sys.stdin.buffer.read(_LENGTH.unpack(length)[0])
        seconds, work, given = pickle.loads(job)
        del job
        _allow(seconds)
        _send(answers, pickle.dumps(work(*given)))


def read_without_body(
    adapter: Adapter,
    request: RawRequest,
    account: ChannelAccount,
    received_at: datetime,
    ids: KeyedIds,
) -> Parsed:
    """Return what `parse.read` does, without the request's own bytes: who asks has them."""
    return _without_body(read(adapter, request, account, received_at, ids), request)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limits.MAIL_MEMORY, limits.MAIL_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _allow(seconds: float) -> None:
    """Allow so much more processor time; the kernel ends the process that takes more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(used.ru_utime + used.ru_stime + seconds)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (until, most))


def _without_body(parsed: Parsed, request: RawRequest) -> Parsed:
    return replace(
        parsed,
        blobs=tuple(
            replace(blob, body=b"") if blob.body is request.body else blob for blob in parsed.blobs
        ),
        broken=tuple(
            replace(part, body=b"") if part.body is request.body else part for part in parsed.broken
        ),
    )


def _send(answers: BinaryIO, answer: bytes) -> None:
    answers.write(_LENGTH.pack(len(answer)))
    answers.write(answer)
    answers.flush()


if __name__ == "__main__":
    main()
