"""A customer record in words: what the system of record knows, a line each."""

from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo


def record_lines(data: Mapping[str, Any], zone: ZoneInfo) -> tuple[str, ...]:
    """Return the lines of a customer record: its fields, purchases, what has been verified."""
    return tuple(_lines(data, zone))


def _lines(data: Mapping[str, Any], zone: ZoneInfo) -> Iterator[str]:
    for field in data.get("fields", ()):
        yield f"{field['name']}: {field['value']}"
    for purchase in data.get("purchases", ()):
        day = purchase["bought_at"].astimezone(zone)
        price = f", {purchase['amount']}" if purchase.get("amount") else ""
        yield f"bought {purchase['what']}{price}, {day.day} {day:%B %Y} ({purchase['purchase_id']})"
    for point in data.get("verified", ()):
        yield f"verified: {point.partition(':')[2]}"
