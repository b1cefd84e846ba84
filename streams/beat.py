"""A worker's sign of life, every few seconds; it is also how the worker knows that the broker answers."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from mode import Service

from headrace.core.wire.heartbeat import BEAT_S, Heartbeat, encode_heartbeat
from headrace.core.wire.result import iso_time
from headrace.streams.access.denial import denial
from headrace.streams.access.refusal import refusal
from headrace.streams.control.writer import now
from headrace.streams.errors import BrokerUnreachableError
from headrace.streams.worker_parts import WorkerParts

__all__ = ["BeatService"]

PATIENCE_S = 5.0
REFUSED_S = 20.0  # a password that is being changed, or a broker that starts, is waited for so long


class BeatService(Service):  # type: ignore[misc]  # mode has no types
    """Writes heartbeats while the worker lives."""

    parts: WorkerParts
    logger = logging.getLogger("mode.beat")

    async def on_start(self) -> None:
        """Connect, and begin."""
        self._refused_at: float | None = None
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
            self._refused_at = None
        except (KafkaError, TimeoutError) as error:
            if (denied := denial(error, parts.connection, operation="Write")) is not None:
                parts.ending.fail(denied)
            else:
                await self._ask_why(error)

    async def _ask_why(self, error: BaseException) -> None:
        """Let readiness say why no heartbeat gets through; a broker that goes on refusing us ends the worker."""
        why = await refusal(self.parts.connection)
        told = f"the broker answers, but takes no records ({type(error).__name__}): are enough replicas in step?"
        self.parts.health.broker(told if why is None else why.fault)
        if why is None or isinstance(why, BrokerUnreachableError):  # it passes some day
            self._refused_at = None
            return
        self._refused_at = self._refused_at or time.monotonic()
        if time.monotonic() - self._refused_at > REFUSED_S:
            self.parts.ending.fail(why)

    def _heartbeat(self) -> Heartbeat:
        parts = self.parts
        waiting, since_ms = (parts.joiner.waiting, parts.joiner.oldest_ms) if parts.joiner else (0, None)
        return Heartbeat(
            time=now(),
            plan=parts.live.state.plan,
            group=parts.group.name,
            ready=parts.health.is_ready,
            why=parts.health.why,
            host=socket.gethostname(),
            pid=os.getpid(),
            stages=[stage.name for stage in parts.group.stages],
            held=parts.health.held,
            quarantined={f"{stage}/{plugin}": why for (stage, plugin), why in parts.health.quarantined.items()},
            versions={name: stage.versions for name, stage in parts.pipe.models.items()},
            waiting=waiting,
            waiting_for=str(parts.joiner.awaited or "") if parts.joiner else "",
            waiting_since="" if since_ms is None else iso_time(since_ms),
        )
