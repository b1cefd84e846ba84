"""The peer: a plain aiokafka loop with the same model. Fetch up to 500, decode, one run, encode, send all, commit.

It reads the same topic, writes label and scores as JSON, or the full result, and promises as much: at least once.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.ffnn_work import BATCH, full_scorer, scorer

if TYPE_CHECKING:
    from headrace.core.record import Headers


Score = Callable[[Sequence[Any]], Sequence[tuple[bytes, "Headers"]]]


async def main(bootstrap: str, source: str, target: str, score: Score) -> None:
    """Loop until SIGTERM."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

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
            for record, (result, headers) in zip(records, score(records), strict=True):
                sent.append(await producer.send(target, result, key=record.key, headers=list(headers)))
        if sent:
            await asyncio.gather(*sent)
            await consumer.commit({tp: records[-1].offset + 1 for tp, records in fetched.items()})


def chosen(target: str, encoding: str, model: str, form: str = "short") -> Score:
    """Return what makes results of records: of the form `short` or `full`."""
    if form == "full":
        return full_scorer(encoding, model, target)
    score = scorer(encoding, model)
    return lambda records: [(result, ()) for result in score([record.value for record in records])]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], chosen(*sys.argv[3:])))
