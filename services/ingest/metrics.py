"""The metrics of ingest. No label holds anything a stranger can choose freely."""

from shared.observability.metrics import SIZES, Metric

METRICS = (
    Metric(
        "ingest_requests_total",
        "counter",
        "Requests and mails, by the answer they got.",
        ("provider", "account", "outcome"),
    ),
    Metric(
        "ingest_events_total",
        "counter",
        "Events accepted: Kafka has acknowledged them.",
        ("provider", "type"),
    ),
    Metric(
        "ingest_dead_letters_total",
        "counter",
        "Authentic bodies, or parts of them, that were not understood and put aside.",
        ("provider", "account"),
    ),
    Metric(
        "ingest_ignored_parts_total",
        "counter",
        "Parts that concern no customer.",
        ("provider", "part"),
    ),
    Metric(
        "ingest_signatures_refused_total",
        "counter",
        "Requests that were not authentic, by reason.",
        ("provider", "account", "reason"),
    ),
    Metric(
        "ingest_accept_seconds",
        "histogram",
        "From the whole body's arrival to Kafka's acknowledgement.",
        ("provider",),
    ),
    Metric("ingest_batch_events", "histogram", "Events in one request.", ("provider",), SIZES),
)
