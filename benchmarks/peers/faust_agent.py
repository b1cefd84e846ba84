"""A plain Faust agent, one event at a time, as Faust's tutorial writes it."""

from __future__ import annotations

from typing import Any

import faust

from benchmarks.peers.work import BOOTSTRAP, SOURCE, TARGET, message, score

app = faust.App(
    TARGET.replace(".", "-"),
    broker=f"kafka://{BOOTSTRAP}",
    value_serializer="raw",
    key_serializer="raw",
    store="memory://",
    web_enabled=False,
    topic_disable_leader=True,
    topic_partitions=4,
    topic_replication_factor=1,
    consumer_auto_offset_reset="earliest",
)
source = app.topic(SOURCE, key_type=bytes, value_type=bytes)
target = app.topic(TARGET, key_type=bytes, value_type=bytes, partitions=4)


@app.agent(source)
async def agent(stream: Any) -> None:
    """Score each event and send its result."""
    async for event in stream.events():
        raw = event.message
        value, headers = score(
            message((raw.topic, raw.partition, raw.offset), event.key, event.value, int(raw.timestamp * 1000))
        )
        await target.send(key=event.key, value=value, headers=dict(headers))


if __name__ == "__main__":
    app.main()
