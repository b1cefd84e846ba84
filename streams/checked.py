"""What a fetch brought of a partition, each of its batches checked with the processor's own CRC-32C.

aiokafka reckons it by tables, a microsecond a kilobyte: where records are of some kilobytes that was a twentieth of all
that a worker did. google-crc32c does a kilobyte in a tenth of that, the copy that it needs included.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import aiokafka.consumer.fetcher
import google_crc32c
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

__all__ = ["CheckedRecords", "check_batches"]

# Kafka's message format, version 2: base offset, length of what follows it, epoch, magic, checksum, what it is of.
_HEAD = struct.Struct(">qiibI")
_LENGTH_ENDS = 12
_MAGIC = 2

# Without its C extension it would be slower than aiokafka.
_checksum: Callable[[bytes], int] = google_crc32c.value if google_crc32c.implementation == "c" else calc_crc32c


class CheckedRecords:
    """Stands in for aiokafka's `MemoryRecords`.

    Args:
        data: the batches, one after the other; the last one may be cut off.
    """

    def __init__(self, data: bytes) -> None:
        self._batches, self._data, self._at = MemoryRecords(data), data, 0

    def size_in_bytes(self) -> int:
        """Return how many bytes there are."""
        return int(self._batches.size_in_bytes())

    def has_next(self) -> bool:
        """Whether there is another whole batch."""
        return bool(self._batches.has_next())

    def next_batch(self) -> Any:
        """Return the next batch, None after the last.

        Raises:
            CorruptRecordException: it is not what was written.
        """
        batch = self._batches.next_batch()
        if batch is None:
            return None
        begin = self._at
        first, length, _, magic, checksum = _HEAD.unpack_from(self._data, begin)
        self._at = begin + _LENGTH_ENDS + length
        is_whole = (
            _checksum(self._data[begin + _HEAD.size : self._at]) == checksum
            if magic == _MAGIC
            else batch.validate_crc()
        )
        if not is_whole:
            raise CorruptRecordException(f"the batch at offset {first} is not what was written: its checksum is wrong")
        return batch


def check_batches() -> None:
    """Let aiokafka's consumers read so from now on. It has no setting for that; they may leave the check to it."""
    aiokafka.consumer.fetcher.MemoryRecords = CheckedRecords
