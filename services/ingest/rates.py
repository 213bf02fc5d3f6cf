"""The rate limits of `channels.yaml`, kept while this process runs: 429 with how long to wait."""

import math
from collections.abc import Iterable
from datetime import datetime

from services.ingest.domain.channels import RatePolicy
from services.ingest.domain.rate import Bucket, Wait, full_bucket, take
from shared.http import ApiError


class Rates:
    """The buckets of every integrator that has a limit; there are as many as the file lists."""

    def __init__(self, policy: Iterable[RatePolicy] = ()) -> None:
        self._policy = {entry.integrator: entry for entry in policy}
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def request(self, integrator: str, now: datetime) -> None:
        """Count a request; raise `ApiError` 429 if it is one too many."""
        entry = self._policy.get(integrator)
        if entry is not None and entry.requests_per_minute is not None:
            self._take(integrator, "requests", entry.requests_per_minute, 1, now)

    def events(self, integrator: str, number: int, now: datetime) -> None:
        """Count the events of a request; raise `ApiError` 429, or 422 if they can never pass."""
        entry = self._policy.get(integrator)
        if entry is None or entry.events_per_minute is None:
            return
        if number > entry.events_per_minute:
            raise ApiError(
                422,
                "batch-over-rate",
                "The batch has more events than this integrator may send in a minute.",
                f"Send at most {entry.events_per_minute} events at once.",
            )
        self._take(integrator, "events", entry.events_per_minute, number, now)

    def _take(self, integrator: str, what: str, limit: int, amount: int, now: datetime) -> None:
        bucket = self._buckets.get((integrator, what)) or full_bucket(limit, now)
        after = take(bucket, amount, now)
        if isinstance(after, Wait):
            raise ApiError(
                429,
                "rate-limited",
                f"This integrator has sent its {limit} {what} a minute.",
                "Send it again after Retry-After seconds.",
                {"Retry-After": str(math.ceil(after.time.total_seconds()))},
            )
        self._buckets[integrator, what] = after
