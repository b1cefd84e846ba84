"""How far a stage has read its topic, and how old the oldest record is that it has not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

__all__ = ["Span", "committed", "oldest", "spans"]

FETCH_BYTES = 1 << 14  # a broker gives the first batch whatever its size (KIP-74)
OLDEST_S = 3.0
COORDINATOR_S = 6.0


class Span(NamedTuple):
    """What of a partition has been read.

    Attributes:
        start: the first offset that is still there.
        committed: the first one that is not yet read for good; None when the group never committed.
        end: the one that the next record will get (or that of the first open transaction).
        next: where reading goes on; None when that is not known before the stage has run.
    """

    start: int
    committed: int | None
    end: int
    next: int | None

    @property
    def lag(self) -> int | None:
        """How many offsets have not been read."""
        return None if self.next is None else max(0, self.end - self.next)


async def committed(client: Any, group: str) -> Mapping[Any, int]:
    """Return the group's committed offsets by partition; a cluster that is still making itself up is waited for."""
    from aiokafka.errors import KafkaError

    deadline = time.monotonic() + COORDINATOR_S
    while True:
        try:
            found = await client.list_consumer_group_offsets(group)
        except KafkaError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return {partition: said.offset for partition, said in found.items() if said.offset >= 0}


async def spans(
    consumer: Any, partitions: Iterable[Any], done: Mapping[Any, int], *, begins_at_start: bool
) -> dict[Any, Span]:
    """Return the span of each partition.

    Args:
        consumer: one of aiokafka, without a group, that reads committed.
        partitions: aiokafka's, of topics that exist.
        done: the group's committed offsets.
        begins_at_start: whether a stage that never committed begins with the oldest record.
    """
    wanted = list(partitions)
    if not wanted:
        return {}
    starts, ends = await consumer.beginning_offsets(wanted), await consumer.end_offsets(wanted)
    return {one: _span(starts[one], done.get(one), ends[one], begins_at_start) for one in wanted}


async def oldest(consumer: Any, found: Mapping[Any, Span]) -> dict[Any, int]:
    """Return the timestamp, in milliseconds, of the next record of each partition that has one waiting.

    A partition whose waiting records cannot be had in time is left out.
    """
    waiting = {partition: span.next for partition, span in found.items() if span.lag and span.next is not None}
    if not waiting:
        return {}
    consumer.assign(list(waiting))
    for partition, offset in waiting.items():
        consumer.seek(partition, offset)
    seen: dict[Any, int] = {}
    deadline = time.monotonic() + OLDEST_S
    while len(seen) < len(waiting) and time.monotonic() < deadline:
        rest = [partition for partition in waiting if partition not in seen]
        for partition, records in (await consumer.getmany(*rest, timeout_ms=200, max_records=len(rest))).items():
            seen.setdefault(partition, records[0].timestamp)
            consumer.pause(partition)
    return seen


def _span(start: int, done: int | None, end: int, begins_at_start: bool) -> Span:
    if done is not None:
        return Span(start, done, end, max(start, done))
    return Span(start, None, end, start if begins_at_start else None)
