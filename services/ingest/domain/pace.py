"""How fast somebody may go: so many a second, and a few at once after a pause."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """A bucket of `burst` tokens that fills with `per_second`; times are seconds of any one clock.

    It begins full.
    """

    per_second: float
    burst: float
    _tokens: float = -1.0
    _since: float = 0.0

    def take(self, now: float) -> bool:
        """Take one token if there is one; tell whether there was."""
        if self._tokens < 0:
            self._tokens, self._since = self.burst, now
        gained = max(0.0, now - self._since) * self.per_second
        self._tokens = min(self.burst, self._tokens + gained)
        self._since = max(self._since, now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
