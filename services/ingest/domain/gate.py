"""How much may be in flight at once, in bytes, in all and per channel account."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.ingest.domain import limits


class Busy(Exception):
    """There is as much in flight as we are willing to hold."""


class Gate:
    """Counts the bytes in flight; beyond the limit it refuses rather than letting a queue grow.

    A request counts for what has arrived of it, never for what it announces: otherwise a few that
    announce much and send nothing would keep everybody out.
    """

    def __init__(
        self, total: int = limits.IN_FLIGHT, each: int = limits.IN_FLIGHT_PER_ACCOUNT
    ) -> None:
        self._total, self._each = total, each
        self._held: Counter[str] = Counter()
        self._all = 0

    @contextmanager
    def enter(self, account: str, size: int = limits.REQUEST) -> Iterator["Place"]:
        """Hold a place of `size` bytes for an account while the block runs, or raise `Busy`."""
        place = Place(self, account)
        place.hold(max(size, limits.REQUEST))
        try:
            yield place
        finally:
            self._add(account, -place.held)
            if not self._held[account]:
                del self._held[account]

    def _take(self, account: str, size: int) -> None:
        if self._all >= self._total or self._held[account] >= self._each:
            raise Busy
        self._add(account, size)

    def _add(self, account: str, size: int) -> None:
        self._held[account] += size
        self._all += size


class Place:
    """One request's place."""

    def __init__(self, gate: Gate, account: str) -> None:
        self._gate, self._account = gate, account
        self.held = 0

    def hold(self, size: int) -> None:
        """Hold room for `size` bytes in all; raise `Busy` if there is none for more than before."""
        if size > self.held:
            self._gate._take(self._account, size - self.held)
            self.held = size
