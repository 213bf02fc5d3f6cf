"""The limit on dead letters: a deploy that rejects everything must stop, not drain the topic.

The figures are Sentry arroyo's: more than 20 in a row, or more than 5 % of the last 1 000. A
single bad record in fifty passes for ever; a wrong deploy stops within its first batch.
"""

from collections.abc import Sequence

from shared.errors import ThroughlineError

_IN_A_ROW = 20
_WINDOW = 1_000
_SHARE = 0.05


class TooManyDeadLetters(ThroughlineError):
    """So much is undecodable that the fault is most likely ours: stop instead of going on."""


class DeadLetterLimit:
    """How many of the last records were given up; a new one after each batch."""

    def __init__(self, recent: tuple[bool, ...] = (), row: int = 0) -> None:
        self._recent = recent
        self._row = row

    def after(self, outcomes: Sequence[bool]) -> "DeadLetterLimit":
        """Return the limit's state after these outcomes, in order (True = dead letter).

        Raises `TooManyDeadLetters` when they pass it: ask before committing them.
        """
        row = self._row
        for dead in outcomes:
            row = row + 1 if dead else 0
            if row > _IN_A_ROW:
                raise _too_many(f"{row} records in a row")
        recent = (*self._recent, *outcomes)[-_WINDOW:]
        if len(recent) == _WINDOW and sum(recent) > _WINDOW * _SHARE:
            raise _too_many(f"{sum(recent)} of the last {_WINDOW} records")
        return DeadLetterLimit(recent, row)


class NoLimit(DeadLetterLimit):
    """No limit, because an operator lifted it for one run."""

    def after(self, outcomes: Sequence[bool]) -> "NoLimit":
        """Return itself."""
        return self


def _too_many(which: str) -> TooManyDeadLetters:
    return TooManyDeadLetters(
        f"{which} could not be processed.",
        "Mend the cause and restart; if the records are truly bad, run once with "
        "THROUGHLINE_LIMIT_DEAD_LETTERS=false.",
    )
