"""What operators see: logs without personal data, metrics, health."""

from shared.observability.health import UNWATCHED, Health, Progress
from shared.observability.logs import configure_logging, get_logger
from shared.observability.metrics import Metric, Metrics

__all__ = [
    "UNWATCHED",
    "Health",
    "Metric",
    "Metrics",
    "Progress",
    "configure_logging",
    "get_logger",
]
