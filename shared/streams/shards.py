"""Shards: a processor's share of a topic, one per partition, and which key lies where."""

from functools import lru_cache

from aiokafka.partitioner import murmur2

_CACHED_KEYS = 65_536  # conversations active within minutes; about 10 MB


def shard_id(processor: str, topic: str, partition: int) -> str:
    """Return the id of a processor's position on one partition: `processor/topic/partition`."""
    return f"{processor}/{topic}/{partition}"


@lru_cache(_CACHED_KEYS)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, as Kafka's own clients choose it (murmur2).

    Source: `Utils.murmur2` and `BuiltInPartitioner` of Apache Kafka's Java client.
    """
    hashed: int = murmur2(key)
    return (hashed & 0x7FFFFFFF) % partitions
