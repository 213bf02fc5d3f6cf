"""From a record that was given up on to a dead letter that keeps every byte of it."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from shared.events.dead_letters import DeadHeader, DeadLetterData, DeadLettered
from shared.ids import derived_id
from shared.version import VERSION


def dead_letter(record: Any, *, topic: str, group: str, error: str, now: datetime) -> DeadLettered:
    """Return the dead letter of a record: its bytes, key and headers as they came.

    The id comes from the content, so that a record put back in vain, or given up by several
    groups, is one dead letter and not ever more of them.
    """
    return DeadLettered(
        id=derived_id("evt", "dead-letter", topic, _digest(record)),
        source=f"/{group}",
        time=now,
        partitionkey=topic,
        subject=topic,
        data=DeadLetterData.model_construct(
            origin="record",
            topic=topic,
            partition=record.partition,
            offset=record.offset,
            group=group,
            key=record.key,
            headers=tuple(_headers(record.headers)),
            body=record.value,
            error=error,
            code_version=VERSION,
        ),
    )


def _digest(record: Any) -> str:
    content = [record.key, record.value, *(part for header in record.headers for part in header)]
    return hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).hexdigest()


def _headers(headers: Sequence[tuple[str, bytes | None]]) -> Iterable[DeadHeader]:
    for name, value in headers:
        yield DeadHeader.model_construct(name=name, value=value)
