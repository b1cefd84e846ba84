"""Reads again what was kept of the joins, before the first record of a partition is read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from headrace.core.wire.state import StateReader

__all__ = ["read_state"]

log = logging.getLogger(__name__)

PATIENCE_S = 20.0
"""A rebalance waits at most 30 s."""

FETCH_BYTES, AT_ONCE = 128 << 10, 500
"""How much of a partition is fetched, and how many messages are taken at once. Memory that a worker has needed once it
does not give back: a megabyte of each of four partitions on its way, and then as objects, were 20 MB for good."""


async def read_state(make: Callable[[int], Any], topic: str, partitions: Iterable[int]) -> dict[int, StateReader]:
    """Return what lies on these partitions of the state topic.

    Args:
        make: returns a consumer, not started, of no group, that reads committed and fetches so many bytes at once.
        topic: the state topic; a partition that it does not have yet has kept nothing.
        partitions: those that are ours.

    Raises:
        KafkaError: the broker does not answer; nothing may be read of the link then.
    """
    wanted = sorted(partitions)
    consumer = make(FETCH_BYTES)
    await consumer.start()
    try:
        there = await _partitions(consumer, topic)
        tps = [TopicPartition(topic, number) for number in wanted if number in there]
        readers = {number: StateReader() for number in wanted}
        try:
            await asyncio.wait_for(_read(consumer, tps, readers), PATIENCE_S)
        except TimeoutError:
            raise KafkaError(f"the state on {topic} could not be read within {PATIENCE_S:g} s") from None
    finally:
        await consumer.stop()
    log.info("%d records wait for more answers, as kept on %s", sum(map(len, readers.values())), topic)
    return readers


async def _partitions(consumer: Any, topic: str) -> set[int]:
    cluster = await consumer._client.fetch_all_metadata()  # a consumer without topics of its own knows none
    return set(cluster.partitions_for_topic(topic) or ())


async def _read(consumer: Any, tps: list[TopicPartition], readers: dict[int, StateReader]) -> None:
    if not tps:
        return
    consumer.assign(tps)
    starts, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    for tp in tps:
        consumer.seek(tp, starts[tp])
    while [tp for tp in tps if await consumer.position(tp) < ends[tp]]:
        for tp, raws in (await consumer.getmany(timeout_ms=200, max_records=AT_ONCE)).items():
            for raw in raws:
                readers[tp.partition].add(raw.key, raw.value)
