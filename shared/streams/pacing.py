"""How close small batches may follow each other: a few at once, then one in so many seconds."""

from dataclasses import dataclass

AT_ONCE = 4  # what follows from one message comes in about as many batches


@dataclass(slots=True)
class Pacing:
    """The generic cell rate algorithm (ITU-T I.371): no queue and no token is counted.

    `every` is the seconds from one beginning to the next in the long run; times are seconds of any
    one clock. `_due` is when the next would begin if none had been early.
    """

    every: float
    at_once: int = AT_ONCE
    _due: float = float("-inf")

    def pause_after(self, began: float, now: float) -> float:
        """Note that one began; return for how many seconds from now the next must wait."""
        self._due = max(self._due, began) + self.every
        earliest = self._due - (self.at_once - 1) * self.every
        return max(0.0, earliest - now)
