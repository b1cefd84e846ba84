"""A worker's sign of life, every few seconds; it is also how the worker knows that the broker answers."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from mode import Service

from headrace.streams.stage import WorkerParts

__all__ = ["BeatService"]

EVERY_S = 3.0
PATIENCE_S = 5.0


class BeatService(Service):  # type: ignore[misc]  # mode has no types
    """Writes heartbeats while the worker lives."""

    parts: WorkerParts
    logger = logging.getLogger("mode.beat")

    async def on_start(self) -> None:
        """Connect, and begin."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self.parts.bootstrap,
            client_id=f"headrace-{self.parts.plan.pipeline}-{self.parts.instance}-beat",
            acks="all",
            linger_ms=0,
        )
        await self._producer.start()
        self._beating = asyncio.create_task(self._beat())

    async def on_stop(self) -> None:
        """Cease, and let go of the broker."""
        self._beating.cancel()
        await asyncio.gather(self._beating, return_exceptions=True)
        await self._producer.stop()

    async def _beat(self) -> None:
        while True:
            await self._tell()
            await asyncio.sleep(EVERY_S)

    async def _tell(self) -> None:
        parts = self.parts
        try:
            value = json.dumps(self._facts()).encode()
            sent = await self._producer.send(parts.group.heartbeat_topic, value, key=parts.instance.encode())
            await asyncio.wait_for(sent, PATIENCE_S)
            parts.health.broker()
        except (KafkaError, TimeoutError) as error:
            parts.health.broker(f"the broker does not answer ({type(error).__name__})")

    def _facts(self) -> dict[str, Any]:
        parts = self.parts
        return {
            "time": time.time(),
            "plan": parts.live.state.plan,
            "group": parts.group.name,
            "worker": parts.instance,
            "stages": [stage.name for stage in parts.group.stages],
            "versions": {name: stage.versions for name, stage in parts.pipe.models.items()},
            **parts.health.facts(),
        }
