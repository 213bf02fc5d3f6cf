"""What routing measures. "Offered" in the field's reports is `work_items_queued_total` here."""

from shared.observability.metrics import Metric

METRICS = (
    Metric("cases_opened_total", "counter", "Cases opened.", ("queue", "channel")),
    Metric(
        "work_items_queued_total", "counter", "Work items that began to wait.", ("queue", "channel")
    ),
    Metric(
        "work_items_requeued_total",
        "counter",
        "Work items that wait again, by why (declined, expired, withdrawn); their age is kept.",
        ("queue", "reason"),
    ),
    Metric("offers_made_total", "counter", "Offers of a work item to an agent.", ("queue",)),
    Metric(
        "offers_answered_total",
        "counter",
        "Offers that were accepted, declined, withdrawn or expired.",
        ("queue", "outcome"),
    ),
    Metric("work_items_completed_total", "counter", "Work items completed.", ("queue",)),
    Metric(
        "agents_sent_away_total",
        "counter",
        "Agents whose status became away because they let too many offers in a row expire.",
        ("pool",),
    ),
    Metric(
        "commands_refused_total", "counter", "Commands that changed nothing, by why.", ("code",)
    ),
)
