"""How far topics go, how far their readers are, and how old the oldest record is that was not read."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from headrace.core.plan.stages import link_topic
from headrace.core.wire.journal import Entry, decode_entry
from headrace.streams.coordinator import patiently
from headrace.streams.observer import Observer

__all__ = [
    "Span",
    "committed",
    "committed_offsets",
    "end_offsets",
    "holds_unread",
    "journal",
    "lags",
    "link_lags",
    "oldest",
    "spans",
]

OLDEST_S = 3.0


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
    found = await patiently(lambda: client.list_consumer_group_offsets(group))
    return {partition: said.offset for partition, said in found.items() if said.offset >= 0}


async def journal(client: Any, group: str) -> Mapping[Any, Entry]:
    """Return what the group's committed offsets say of attempts, by partition."""
    found = await patiently(lambda: client.list_consumer_group_offsets(group))
    said = {partition: decode_entry(one.metadata) for partition, one in found.items()}
    return {partition: entry for partition, entry in said.items() if entry is not None}


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


async def end_offsets(observer: Observer, topic: str) -> dict[int, int]:
    """Return the offset of the next message of each partition.

    Raises:
        BrokerUnreachableError: HR201.
    """
    partitions = _partitions(topic, (await _widths(observer))[topic])
    return {tp.partition: end for tp, end in (await (await observer.consumer()).end_offsets(partitions)).items()}


async def committed_offsets(observer: Observer, group: str, topic: str) -> dict[int, int]:
    """Return the committed offset of each partition that has one.

    Raises:
        BrokerUnreachableError: HR201.
    """
    found = await committed(await observer.client(), group)
    return {tp.partition: offset for tp, offset in found.items() if tp.topic == topic}


async def lags(observer: Observer, readers: Mapping[str, str]) -> dict[str, dict[int, int]]:
    """Return how many messages of each partition are unread, for the topics of these that are there.

    Args:
        observer: asks the broker.
        readers: topic -> the group that reads it, from its first record on.

    Raises:
        BrokerUnreachableError: HR201.
    """
    widths = await _widths(observer)
    client, consumer = await observer.client(), await observer.consumer()
    found = {}
    for topic in (topic for topic in readers if topic in widths):
        done = await committed(client, readers[topic])
        seen = await spans(consumer, _partitions(topic, widths[topic]), done, begins_at_start=True)
        found[topic] = {tp.partition: span.lag or 0 for tp, span in seen.items()}
    return found


async def link_lags(observer: Observer, pipeline: str) -> dict[str, int]:
    """Return the lag of every link, by the name of the stage that reads it; also of links of an earlier plan.

    Raises:
        BrokerUnreachableError: HR201.
    """
    prefix = link_topic(pipeline, "")
    stages = [name.removeprefix(prefix) for name in await _widths(observer) if name.startswith(prefix)]
    found = await lags(observer, {link_topic(pipeline, stage): f"{pipeline}.{stage}" for stage in stages})
    return {topic.removeprefix(prefix): sum(by_partition.values()) for topic, by_partition in found.items()}


async def holds_unread(observer: Observer, group: str, topic: str) -> bool:
    """Whether a group has a message of a topic to read: what it lags by may all be what was aborted.

    Raises:
        BrokerUnreachableError: HR201.
    """
    width = (await _widths(observer))[topic]
    client, consumer = await observer.client(), await observer.consumer()
    done = await committed(client, group)
    return bool(await oldest(consumer, await spans(consumer, _partitions(topic, width), done, begins_at_start=True)))


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


async def _widths(observer: Observer) -> dict[str, int]:
    """Return how many partitions each topic of the broker has."""
    # All topics are asked for, not some: aiokafka lets the broker make what it is asked about and does not have.
    there = await (await observer.client()).describe_topics(None)
    return {topic["topic"]: len(topic["partitions"]) for topic in there if not topic["error_code"]}


def _partitions(topic: str, width: int) -> list[Any]:
    from aiokafka import TopicPartition

    return [TopicPartition(topic, number) for number in range(width)]


def _span(start: int, done: int | None, end: int, begins_at_start: bool) -> Span:
    if done is not None:
        return Span(start, done, end, max(start, done))
    return Span(start, None, end, start if begins_at_start else None)
