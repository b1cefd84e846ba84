"""Offsets of a topic as the broker has them: its ends, and what a group has committed."""

from __future__ import annotations

from headrace.streams.topics import admin

__all__ = ["committed_offsets", "end_offsets"]


async def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """Return the offset of the next message of each partition."""
    from aiokafka import AIOKafkaConsumer, TopicPartition

    async with admin(bootstrap) as client:
        (found,) = [one for one in await client.describe_topics(None) if one["topic"] == topic]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, client_id="headrace-offsets")
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(topic, at) for at in range(len(found["partitions"]))])
    finally:
        await consumer.stop()
    return {tp.partition: end for tp, end in ends.items()}


async def committed_offsets(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """Return the committed offset of each partition that has one."""
    async with admin(bootstrap) as client:
        found = await client.list_consumer_group_offsets(group)
    return {tp.partition: one.offset for tp, one in found.items() if tp.topic == topic and one.offset >= 0}
