"""What the profile service measures; labels are bounded (no personal data, no ids)."""

from shared.observability.metrics import Metric

METRICS = (
    Metric("timeline_entries_total", "counter", "Entries put on timelines.", ("channel",)),
    Metric("customers_identified_total", "counter", "New contact points.", ("scheme",)),
    Metric("customers_linked_total", "counter", "Links that made customers one.", ("kind",)),
    Metric(
        "links_parked_total",
        "counter",
        "Links kept but not applied: the customer would have too many contact points.",
        ("kind",),
    ),
    Metric(
        "opaque_events_skipped_total",
        "counter",
        "Events of unknown type that name no contact point: on nobody's timeline.",
    ),
    Metric("live_readers", "gauge", "Pages that are open and kept live by this process."),
    Metric(
        "live_readers_dropped_total",
        "counter",
        "Live pages closed because they read too slowly; the browser connects again.",
    ),
    Metric("change_stream_breaks_total", "counter", "Times the change stream had to be reopened."),
)
