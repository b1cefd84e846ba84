"""A loop on aiokafka as one would write it by hand: read some, score each, send each, commit now and then.

At least once it commits when everything sent is acknowledged; exactly once each transaction holds what was read in it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.peers.work import BOOTSTRAP, COMMIT_S, GUARANTEE, SOURCE, TARGET, message, score

MOST = 500


async def main() -> None:
    """Run until the process is ended."""
    is_once = GUARANTEE == "exactly_once"
    group = f"{TARGET}-group"
    consumer = AIOKafkaConsumer(
        SOURCE,
        bootstrap_servers=BOOTSTRAP,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=BOOTSTRAP,
        acks="all",
        max_batch_size=131_072,
        transactional_id=f"{TARGET}-0" if is_once else None,
    )
    await asyncio.gather(consumer.start(), producer.start())
    while True:
        if is_once:
            async with producer.transaction():
                offsets = await _scored(consumer, producer)
                if offsets:
                    await producer.send_offsets_to_transaction(offsets, group)
        elif offsets := await _scored(consumer, producer):
            await consumer.commit(offsets)


async def _scored(consumer: AIOKafkaConsumer, producer: AIOKafkaProducer) -> dict[Any, int]:
    """Read and send for as long as a commit may wait; return the offsets of what was sent and acknowledged."""
    ends = time.monotonic() + COMMIT_S
    offsets: dict[Any, int] = {}
    sent = []
    while time.monotonic() < ends:
        for tp, messages in (await consumer.getmany(timeout_ms=20, max_records=MOST)).items():
            for one in messages:
                value, headers = score(
                    message((one.topic, one.partition, one.offset), one.key, one.value, one.timestamp)
                )
                sent.append(await producer.send(TARGET, value, key=one.key, headers=list(headers)))
            offsets[tp] = messages[-1].offset + 1
    await asyncio.gather(*sent)
    return offsets


if __name__ == "__main__":
    asyncio.run(main())
