"""What messages take as batches of their own, plain and compressed.

A broker that refuses one message of a batch refuses all of it, so a suspect goes alone. A message that came in a
compressed batch may be far larger than any limit once it is unpacked, and its dead letter must still fit its topic.
"""

from __future__ import annotations

from typing import Any

from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from headrace.core.record import Outgoing

__all__ = ["compressed_bytes", "plain_bytes"]

_GZIP = DefaultRecordBatch.CODEC_GZIP
_UNBOUNDED = 1 << 30


def plain_bytes(message: Outgoing) -> int:
    """Return what a message takes as a batch of its own."""
    empty = _builder()
    headers = list(message.headers)
    size = empty.size_in_bytes(0, message.timestamp_ms or 0, message.key, message.value, headers)
    return int(empty.size() + size)


def compressed_bytes(message: Outgoing) -> int:
    """Return what a message takes as a compressed batch of its own."""
    builder = _builder(_GZIP)
    builder.append(0, message.timestamp_ms, message.key, message.value, list(message.headers))
    return len(builder.build())


def _builder(compression: int = 0) -> Any:
    return DefaultRecordBatchBuilder(
        magic=2,
        compression_type=compression,
        is_transactional=1,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=0,
        batch_size=_UNBOUNDED,
    )
