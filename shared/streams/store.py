"""What the stream layer keeps in each service's database."""

from shared.mongo import Collection, Index
from shared.streams import outbox, positions, timers

STREAM_COLLECTIONS = (
    Collection(positions.COLLECTION, (Index((("unit", 1),)),)),
    Collection(outbox.COLLECTION, (Index((("shard", 1),)),)),
    Collection(timers.COLLECTION, (Index((("shard", 1), ("due_at", 1))),)),
)
