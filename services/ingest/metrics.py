"""The metrics of ingest. No label holds anything a stranger can choose freely."""

from typing import Protocol

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
        "Events accepted: they are on Kafka or in the spool.",
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
        "From the whole body's arrival until it is safe, on Kafka or in the spool.",
        ("provider",),
    ),
    Metric("ingest_spooled_total", "counter", "Requests kept in the spool, as Kafka was away."),
    Metric(
        "ingest_spool_drained_total", "counter", "Requests whose events went from spool to Kafka."
    ),
    Metric("ingest_spool_refused_total", "counter", "Requests refused, as the spool was full."),
    Metric("ingest_spool_requests", "gauge", "Requests in the spool, of all processes."),
    Metric("ingest_spool_bytes", "gauge", "Bytes in the spool, of all processes."),
    Metric(
        "ingest_oversized_records_total",
        "counter",
        "Records that Kafka refused for their size, by topic, and that are kept instead.",
        ("topic",),
    ),
    Metric(
        "ingest_oversized_requests",
        "gauge",
        "Requests with such records, of all processes; they go out within five minutes once "
        "max.message.bytes of the topic has been raised.",
    ),
    Metric(
        "ingest_connected",
        "gauge",
        "1 while a connection that we open ourselves is there and logged in.",
        ("provider", "account"),
    ),
    Metric("ingest_batch_events", "histogram", "Events in one request.", ("provider",), SIZES),
    Metric(
        "ingest_replies_total",
        "counter",
        "Replies by how they ended: sent, failed, or unknown, which a person must look at.",
        ("provider", "account", "state"),
    ),
    Metric(
        "ingest_reply_calls_total",
        "counter",
        "Attempts to send a reply, by what the provider said.",
        ("provider", "account", "outcome"),
    ),
    Metric(
        "ingest_reply_seconds",
        "histogram",
        "From a reply's being taken in to the provider's taking it.",
        ("provider",),
        (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0, 86400.0),
    ),
    Metric(
        "ingest_replies_oldest_due_seconds",
        "gauge",
        "Age of the oldest reply that is due now.",
    ),
    Metric(
        "ingest_breaker_open",
        "gauge",
        "1 while calls for a channel account are held back because its provider fails.",
        ("provider", "account"),
    ),
    Metric("chat_sockets", "gauge", "Chat sockets open in this process."),
    Metric(
        "chat_sockets_refused_total",
        "counter",
        "Chat sockets refused before they opened, by reason.",
        ("account", "reason"),
    ),
    Metric(
        "chat_frames_total",
        "counter",
        "Visitors' messages, forms and ends, by the answer they got.",
        ("account", "outcome"),
    ),
    Metric(
        "chat_stream_breaks_total",
        "counter",
        "Times the change stream of the chat histories broke and was opened again.",
    ),
)


class Meter(Protocol):
    """Counts and observes; `shared.observability.Metrics` is one."""

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        ...

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add an observation to a histogram."""
        ...

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        ...
