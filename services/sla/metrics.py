"""What the sla service counts."""

from shared.observability.metrics import Metric

OUTCOMES = "sla_outcomes_total"
WARNINGS = "sla_warnings_total"

METRICS = (
    Metric(
        OUTCOMES,
        "counter",
        "Promises decided: met, breached, or corrected (a breach was told, then an answer in time "
        "was heard of).",
        ("target", "channel", "result"),
    ),
    Metric(
        WARNINGS,
        "counter",
        "Warnings that a promise was about to be broken.",
        ("target", "channel"),
    ),
)
