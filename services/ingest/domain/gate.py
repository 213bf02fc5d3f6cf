"""How many requests may be in flight at once, in all and per channel account."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.ingest.domain import limits


class Busy(Exception):
    """There are as many requests in flight as we are willing to hold."""


class Gate:
    """Counts what is in flight; beyond the limit it refuses rather than letting a queue grow."""

    def __init__(
        self, total: int = limits.IN_FLIGHT, each: int = limits.IN_FLIGHT_PER_ACCOUNT
    ) -> None:
        self._total, self._each = total, each
        self._held: Counter[str] = Counter()

    @contextmanager
    def enter(self, account: str) -> Iterator[None]:
        """Hold one place for a channel account while the block runs, or raise `Busy`."""
        if self._held.total() >= self._total or self._held[account] >= self._each:
            raise Busy
        self._held[account] += 1
        try:
            yield
        finally:
            self._held[account] -= 1
            if not self._held[account]:
                del self._held[account]
