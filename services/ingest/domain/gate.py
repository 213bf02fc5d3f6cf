"""How much may be in flight at once, in bytes, in all and per channel account."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.ingest.domain import limits


class Busy(Exception):
    """There is as much in flight as we are willing to hold."""


class Gate:
    """Counts the bytes in flight; beyond the limit it refuses rather than letting a queue grow.

    A request is let in while there is less than the limit, so one can exceed it by its own size.
    """

    def __init__(
        self, total: int = limits.IN_FLIGHT, each: int = limits.IN_FLIGHT_PER_ACCOUNT
    ) -> None:
        self._total, self._each = total, each
        self._held: Counter[str] = Counter()
        self._all = 0

    @contextmanager
    def enter(self, account: str, size: int = limits.REQUEST) -> Iterator[None]:
        """Hold room for `size` bytes of a channel account while the block runs; raise `Busy`."""
        if self._all >= self._total or self._held[account] >= self._each:
            raise Busy
        held = max(size, limits.REQUEST)
        self._held[account] += held
        self._all += held
        try:
            yield
        finally:
            self._all -= held
            self._held[account] -= held
            if not self._held[account]:
                del self._held[account]
