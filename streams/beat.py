"""A worker's sign of life, every few seconds; it is also how the worker knows that the broker answers."""

from __future__ import annotations

import asyncio
import logging
import os
import socket

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from mode import Service

from headrace.core.wire.heartbeat import BEAT_S, Heartbeat, encode_heartbeat
from headrace.streams.control.writer import now
from headrace.streams.stage import WorkerParts

__all__ = ["BeatService"]

PATIENCE_S = 5.0


class BeatService(Service):  # type: ignore[misc]  # mode has no types
    """Writes heartbeats while the worker lives."""

    parts: WorkerParts
    logger = logging.getLogger("mode.beat")

    async def on_start(self) -> None:
        """Connect, and begin."""
        self._producer = AIOKafkaProducer(
            **self.parts.connection.options,
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
            await asyncio.sleep(BEAT_S)

    async def _tell(self) -> None:
        parts = self.parts
        try:
            value = encode_heartbeat(self._heartbeat())
            sent = await self._producer.send(parts.group.heartbeat_topic, value, key=parts.instance.encode())
            await asyncio.wait_for(sent, PATIENCE_S)
            parts.health.broker()
        except (KafkaError, TimeoutError) as error:
            parts.health.broker(f"the broker does not answer ({type(error).__name__})")

    def _heartbeat(self) -> Heartbeat:
        parts = self.parts
        return Heartbeat(
            time=now(),
            plan=parts.live.state.plan,
            group=parts.group.name,
            ready=parts.health.is_ready,
            why=parts.health.why,
            host=socket.gethostname(),
            pid=os.getpid(),
            stages=[stage.name for stage in parts.group.stages],
            versions={name: stage.versions for name, stage in parts.pipe.models.items()},
        )
