"""How many frames lie unread on each link of a pipeline, also on links that the present plan does not have."""

from __future__ import annotations

from typing import Any

from headrace.streams.topics import admin

__all__ = ["link_lags"]


async def link_lags(bootstrap: str, pipeline: str) -> dict[str, int]:
    """Return the lag of every link, by the name of the stage that reads it.

    Raises:
        BrokerUnreachableError: HR201.
    """
    from aiokafka import AIOKafkaConsumer, TopicPartition

    prefix = f"{pipeline}.link."
    async with admin(bootstrap) as client:
        there = await client.describe_topics(None)
        links = {topic["topic"]: len(topic["partitions"]) for topic in there if topic["topic"].startswith(prefix)}
        if not links:
            return {}
        groups = {name: f"{pipeline}.{name.removeprefix(prefix)}" for name in links}
        committed = {name: await _committed(client, group) for name, group in groups.items()}
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, client_id="headrace-lags")
    await consumer.start()
    try:
        tps = [TopicPartition(name, number) for name, count in links.items() for number in range(count)]
        first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    finally:
        await consumer.stop()
    lags = dict.fromkeys((name.removeprefix(prefix) for name in links), 0)
    for tp in tps:
        offset = committed[tp.topic].get(tp, -1)
        lags[tp.topic.removeprefix(prefix)] += max(0, end[tp] - max(offset, first[tp]))
    return lags


async def _committed(client: Any, group: str) -> dict[Any, int]:
    return {tp: found.offset for tp, found in (await client.list_consumer_group_offsets(group)).items()}
