"""Reading records whose header *names* are not UTF-8, which aiokafka 0.14 cannot.

Kafka's protocol wants them to be, but no broker checks it, and one such record would stop every
reader of its topic for good: aiokafka's compiled reader fails on the whole fetch, again and again.
Its reader in pure Python is slower but can be taught, so a process changes over to that one when
it meets such a record, and back with its next start.
"""

from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.record import memory_records
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


class _Bytes(bytearray):
    """Bytes that decode whatever they hold; what is no UTF-8 is written as `\\xff`."""

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        part = super().__getitem__(index)
        return _Bytes(part) if isinstance(part, bytearray) else part

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self).decode(encoding, "backslashreplace")


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """aiokafka's own batch of records, over lenient bytes."""

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Bytes(self._buffer)  # type: ignore[has-type]


async def read_leniently(consumer: Any) -> None:
    """Change this process over to lenient reading, and let `consumer` fetch again."""
    memory_records.DefaultRecordBatch = _Batch
    fetcher.MemoryRecords = _MemoryRecordsPy
    for partition in consumer.assignment():
        consumer.seek(partition, await consumer.position(partition))
