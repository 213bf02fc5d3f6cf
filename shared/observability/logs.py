"""Structured logs in JSON, holding only fields from an allow-list: never personal data.

A field that is not listed is dropped, and named in `dropped`, so that nobody can log a customer's
words or addresses by accident. Exceptions are logged by class and place, never by text.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

ALLOWED = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "service",
        "error",
        "where",
        "problem",
        "fix",
        "dropped",
        # where in the stream
        "processor",
        "topic",
        "partition",
        "partitions",
        "offset",
        "expected",
        "shard",
        "epoch",
        "count",
        "attempt",
        "seconds",
        "reason",
        # what it is about, by our own ids only
        "event_id",
        "event_type",
        "provider",
        "channel",
        "account",
        "timer",
        "status",
        "address",
        "version",
        "collection",
        "metric",
    }
)

_EventDict = MutableMapping[str, Any]


def _keep_allowed(_logger: Any, _method: str, event: _EventDict) -> _EventDict:
    failure = event.pop("exc_info", None)
    if failure:
        exception = failure if isinstance(failure, BaseException) else sys.exc_info()[1]
        if exception is not None:
            event["error"] = type(exception).__name__
            event["where"] = _place(exception)
    dropped = sorted(name for name in event if name not in ALLOWED)
    for name in dropped:
        del event[name]
    if dropped:
        event["dropped"] = dropped
    return event


def _place(exception: BaseException) -> str:
    frames = traceback.extract_tb(exception.__traceback__)[-3:]
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))


def configure_logging(service: str, level: str = "info") -> None:
    """Send JSON lines to standard error, from our own loggers and the libraries' warnings alike."""
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _keep_allowed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    handler = _LibraryHandler(service)
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING)


class _LibraryHandler(logging.Handler):
    """Passes on that a library complained, without its text, which may hold data."""

    def __init__(self, service: str) -> None:
        super().__init__(logging.WARNING)
        self._log = get_logger(service)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        self._log.warning(
            "a library complained",
            where=f"{record.name}:{record.funcName}:{record.lineno}",
            error=error,
            # the template, never its arguments; without arguments it may be formatted already
            reason=str(record.msg)[:200] if record.args else None,
        )


def get_logger(service: str) -> Any:
    """Return a logger whose lines name the service."""
    return structlog.get_logger(service=service)  # lazy: configuration may come later
