"""Where the next stages lag least: for links whose records may go to any partition."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from headrace.core.errors import HeadraceError
from headrace.core.plan.plan import Plan
from headrace.streams.topics import admin

__all__ = ["Spread"]

log = logging.getLogger(__name__)


class Spread:
    """Chooses the least lagged partition of a link, by the lag seen last and what this worker has sent since."""

    def __init__(self, bootstrap: str, plan: Plan) -> None:
        self._bootstrap = bootstrap
        self._links = {
            stage.reads: stage.consumer_group for stage in plan.stages if stage.reads and stage.kind != "ingress"
        }
        self._held = AsyncExitStack()
        self._admin: Any = None
        self._consumer: Any = None
        self._lags: Mapping[str, dict[int, int]] = {}

    def choose(self, topic: str, partition: int) -> int:
        """Return the partition for a frame; the record's own until the lags are known. Called by the steps' thread."""
        lags = self._lags.get(topic)
        if not lags:
            return partition
        best = min(lags, key=lambda number: (lags[number], (number - partition) % len(lags)))
        lags[best] += 1
        return best

    async def look(self) -> None:
        """Ask the broker for the lags; when it does not answer, those seen last stay."""
        from aiokafka.errors import KafkaError

        try:
            await self._connect()
            self._lags = {topic: await self._lag(topic, group) for topic, group in self._links.items()}
        except (KafkaError, HeadraceError, OSError, TimeoutError) as error:
            log.warning("the lag of the next stages is not known for now: %s: %s", type(error).__name__, error)

    async def close(self) -> None:
        """Let go of the broker."""
        await self._held.aclose()

    async def _connect(self) -> None:
        from aiokafka import AIOKafkaConsumer

        if self._admin is None:
            self._admin = await self._held.enter_async_context(admin(self._bootstrap))
        if self._consumer is None:
            consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, group_id=None, client_id="headrace-spread")
            await consumer.start()
            self._held.push_async_callback(consumer.stop)
            self._consumer = consumer

    async def _lag(self, topic: str, group: str) -> dict[int, int]:
        from aiokafka import TopicPartition

        numbers = sorted(self._consumer.partitions_for_topic(topic) or await self._partitions(topic))
        tps = [TopicPartition(topic, number) for number in numbers]
        ends = await self._consumer.end_offsets(tps)
        first = await self._consumer.beginning_offsets(tps)
        committed = await self._admin.list_consumer_group_offsets(group)
        offsets = {tp: committed[tp].offset if tp in committed else -1 for tp in tps}
        return {tp.partition: ends[tp] - (offsets[tp] if offsets[tp] >= 0 else first[tp]) for tp in tps}

    async def _partitions(self, topic: str) -> set[int]:
        await self._consumer._client.fetch_all_metadata()  # a consumer without topics of its own knows none
        return set(self._consumer._client.cluster.partitions_for_topic(topic) or ())
