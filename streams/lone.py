"""Messages as batches of their own: what they take, and sending them so, also compressed where the producer is not.

A broker that refuses one message of a batch refuses all of it, so a suspect goes alone. A message that came in a
compressed batch may be far larger than any limit once it is unpacked, and its dead letter must still fit its topic.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from headrace.core.record import Outgoing

__all__ = ["compressed_bytes", "plain_bytes", "send_alone"]

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


async def send_alone(producer: Any, message: Outgoing, *, compress: bool = False) -> asyncio.Future[Any]:
    """Hand a message to a transactional producer as a batch of its own; return its pending acknowledgement."""
    batch = BatchBuilder(_UNBOUNDED, _GZIP if compress else 0, is_transactional=1)
    batch.append(timestamp=message.timestamp_ms, key=message.key, value=message.value, headers=list(message.headers))
    batch.close()
    partitions = sorted(await producer.partitions_for(message.topic))
    partition = message.partition
    if partition is None:  # chosen as aiokafka's send() does
        partition = DefaultPartitioner()(message.key, partitions, partitions)
    sent: asyncio.Future[Any] = await producer.send_batch(batch, message.topic, partition=partition)
    return sent


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
