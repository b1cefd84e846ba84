"""The peer: a plain aiokafka loop with the same model. Fetch up to 500, decode, one run, encode, send all, commit.

It reads the same topic, writes label and scores as JSON, and promises as much: at least once.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks.ffnn_work import BATCH, scorer


async def main(bootstrap: str, source: str, target: str, encoding: str, model: str) -> None:
    """Loop until SIGTERM."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    score = scorer(encoding, model)
    consumer = AIOKafkaConsumer(
        source,
        group_id=target,
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0, max_batch_size=1 << 20
    )
    await producer.start()
    await consumer.start()
    while True:
        fetched = await consumer.getmany(timeout_ms=500, max_records=BATCH)
        sent = []
        for records in fetched.values():
            results = score([record.value for record in records])
            for record, result in zip(records, results, strict=True):
                sent.append(await producer.send(target, result, key=record.key))
        if sent:
            await asyncio.gather(*sent)
            await consumer.commit({tp: records[-1].offset + 1 for tp, records in fetched.items()})


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:6]))
