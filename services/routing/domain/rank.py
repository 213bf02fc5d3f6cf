"""The order of the waiting line: age, with a head start for priority.

`rank = arrived_at in ms − priority · head start in ms`, lowest first. It is fixed when the work
item is submitted and kept through decline, expiry and crash, so ageing is built in and nobody
starves: an item is passed only by those that arrive within (difference in priority × head start)
after it. Source: the rank Genesys Cloud documents, without its reset on transfer.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def rank(arrived_at: datetime, priority: int, head_start: timedelta) -> int:
    """Return the rank in milliseconds; a lower one is served earlier."""
    return (arrived_at - _EPOCH) // _MILLISECOND - priority * (head_start // _MILLISECOND)
