"""What operators see: logs without personal data, metrics, health."""

from shared.observability.health import Health
from shared.observability.logs import configure_logging, get_logger
from shared.observability.metrics import Metric, Metrics

__all__ = ["Health", "Metric", "Metrics", "configure_logging", "get_logger"]
