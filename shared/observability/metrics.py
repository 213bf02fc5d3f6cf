"""Metrics: declared as data, so that every one has a HELP text and labels known beforehand.

Each service declares its own in `metrics.py`; the stream layer's are here. A label value outside
ASCII words or beyond a bounded number of different ones collapses to `other`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

NAMESPACE = "throughline"
_MAX_VALUES = 200  # per label: queues are the most numerous thing we label by
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")

LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1.0, 5.0, 10.0, 50.0, 100.0, 250.0, 500.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name without the prefix `throughline_`, kind, HELP text and labels."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = LATENCY


STREAM_METRICS = (
    Metric("batch_records", "histogram", "Records handled in one batch.", ("processor",), SIZES),
    Metric(
        "batch_seconds",
        "histogram",
        "From a batch's arrival to its events' acknowledgement.",
        ("processor",),
    ),
    Metric("records_handled_total", "counter", "Records applied.", ("processor", "topic")),
    Metric(
        "records_skipped_total",
        "counter",
        "Records at or below the stored position, seen again after a restart or rebalance.",
        ("processor", "topic"),
    ),
    Metric(
        "dead_letters_total",
        "counter",
        "Records put aside as dead letters.",
        ("processor", "topic"),
    ),
    Metric(
        "fenced_writes_total",
        "counter",
        "Transactions refused because another process owns the partition now.",
        ("processor",),
    ),
    Metric(
        "refused_writes_total",
        "counter",
        "Transactions decided afresh because a guard or unique index refused.",
        ("processor",),
    ),
    Metric(
        "transaction_failures_total",
        "counter",
        "Transactions given up at their deadline and tried again later.",
        ("processor",),
    ),
    Metric(
        "log_gaps_total",
        "counter",
        "Offsets missing from a topic before we read them: lost to retention or compaction.",
        ("processor", "topic"),
    ),
    Metric("rebalances_total", "counter", "Assignments of partitions received.", ("processor",)),
    Metric(
        "commit_failures_total",
        "counter",
        "Offset commits that failed; tried again.",
        ("processor",),
    ),
    Metric(
        "published_events_total", "counter", "Events acknowledged by Kafka.", ("processor", "topic")
    ),
    Metric("publish_failures_total", "counter", "Publishes not acknowledged in time.", ()),
    Metric(
        "outbox_oldest_pending_seconds",
        "gauge",
        "Age of the oldest decided event that Kafka has not acknowledged; one process's share.",
        ("processor",),
    ),
    Metric("timer_lateness_seconds", "histogram", "How late timers were handled.", ("processor",)),
    Metric(
        "timers_failed_total",
        "counter",
        "Timers postponed because deciding failed.",
        ("processor",),
    ),
    Metric("partitions_owned", "gauge", "Partitions claimed by this process.", ("processor",)),
    Metric(
        "event_age_seconds",
        "histogram",
        "From an event's time to its being applied.",
        ("processor",),
        (0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0, 86400.0),
    ),
    Metric(
        "opaque_events_total",
        "counter",
        "Events of a type this version does not know.",
        ("processor",),
    ),
)


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self, catalogue: Sequence[Metric]) -> None:
        self.registry = CollectorRegistry()
        self._metrics: dict[str, Any] = {}
        self._catalogue = {metric.name: metric for metric in catalogue}
        self._values: dict[tuple[str, str], set[str]] = {}
        self._children: dict[tuple[str, tuple[str, ...]], Any] = {}
        for metric in catalogue:
            self._metrics[metric.name] = self._build(metric)

    def _build(self, metric: Metric) -> Any:
        name = f"{NAMESPACE}_{metric.name}"
        if metric.kind == "counter":
            return Counter(name, metric.help, metric.labels, registry=self.registry)
        if metric.kind == "gauge":
            return Gauge(name, metric.help, metric.labels, registry=self.registry)
        return Histogram(
            name, metric.help, metric.labels, registry=self.registry, buckets=metric.buckets
        )

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        self._child(name, labels).inc(amount)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add an observation to a histogram."""
        self._child(name, labels).observe(value)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._child(name, labels).set(value)

    def _child(self, name: str, labels: dict[str, str]) -> Any:
        wanted = self._catalogue[name].labels
        given = tuple(labels[label] for label in wanted)
        if len(labels) != len(wanted):
            raise ValueError(f"{name} has labels {wanted}, not {tuple(labels)}")
        child = self._children.get((name, given))
        if child is None:
            bounded = tuple(
                self._bounded(name, label, value)
                for label, value in zip(wanted, given, strict=True)
            )
            child = self._metrics[name].labels(*bounded) if wanted else self._metrics[name]
            if bounded == given:
                self._children[(name, given)] = child
        return child

    def _bounded(self, name: str, label: str, value: str) -> str:
        seen = self._values.setdefault((name, label), set())
        if value in seen:
            return value
        if len(seen) >= _MAX_VALUES or not _WORD.fullmatch(value):
            return "other"
        seen.add(value)
        return value

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
