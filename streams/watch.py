"""Notices that a topic of the pipeline was deleted while it ran: Kafka's clients would wait for it for ever."""

from __future__ import annotations

import asyncio
import logging
import time

from aiokafka.errors import KafkaError
from mode import Service

from headrace.core.errors import HeadraceError
from headrace.streams.errors import TopicDeletedError
from headrace.streams.observer import Observer
from headrace.streams.worker_parts import WorkerParts

__all__ = ["WatchService"]

LOOK_S = 3.0
WELL_S = 15.0  # how often one looks while all is well: the answer names every topic of the cluster


class WatchService(Service):  # type: ignore[misc]  # mode has no types
    """Looks at the topics while the worker lives: often while it is not ready, else seldom."""

    parts: WorkerParts
    logger = logging.getLogger("mode.watch")

    async def on_start(self) -> None:
        """Begin."""
        self._watching = asyncio.create_task(self._watch())

    async def on_stop(self) -> None:
        """Cease."""
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)

    async def _watch(self) -> None:
        missed: frozenset[str] = frozenset()
        looked = time.monotonic()
        async with Observer(self.parts.connection, "watch") as observer:
            while True:
                await asyncio.sleep(LOOK_S)
                if self.parts.health.is_ready and not missed and time.monotonic() - looked < WELL_S:
                    continue
                before, looked = missed, time.monotonic()
                try:
                    missed = await self._missing(observer)
                except (KafkaError, HeadraceError, OSError, TimeoutError):  # a broker that is away says nothing
                    missed = frozenset()
                    await observer.close()
                if gone := sorted(before & missed):  # twice: a broker that starts may not know all of them yet
                    self.parts.ending.fail(TopicDeletedError(gone))

    async def _missing(self, observer: Observer) -> frozenset[str]:
        there = await (await observer.client()).describe_topics(None)
        names = {topic["topic"] for topic in there if not topic["error_code"]}
        return frozenset(topic.name for topic in self.parts.plan.topics if topic.name not in names)
