"""What every part of one processor's machinery shares: its name, clock, metrics, health, log."""

from dataclasses import dataclass
from typing import Any

from shared.clock import Clock
from shared.observability import Health, Metrics


@dataclass(frozen=True, slots=True)
class Scope:
    """The surroundings of one processor in this process.

    `prefix` comes before the names of topics on Kafka; `session_timeout` is in seconds.
    """

    name: str
    prefix: str
    clock: Clock
    metrics: Metrics
    health: Health
    log: Any
    session_timeout: float
    limit_dead_letters: bool = True

    def count(self, metric: str, topic: str, amount: float = 1.0) -> None:
        """Count something of a topic."""
        self.metrics.count(metric, amount, processor=self.name, topic=topic)

    def complain(self, what: str, error: BaseException, reason: str = "") -> None:
        """Log a failure that is being dealt with: its class and reason, never its text."""
        self.alive()
        self.log.warning(what, processor=self.name, error=type(error).__name__, reason=reason)

    def alive(self) -> None:
        """Say that the loops wait for MongoDB or Kafka with a deadline and are not stuck.

        Both, because they take turns: one waits for the other. A restart would not help either.
        """
        self.health.tick(f"{self.name} consumer")
        self.health.tick(f"{self.name} timers")
