"""The service that owns one stage's consumer and producers, and runs the record loop between them."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from mode import Service

from headrace.core.errors import HeadraceError
from headrace.core.plan.plan import Plan
from headrace.streams.batch_limit import BatchLimit
from headrace.streams.commit import Committer
from headrace.streams.dead_letter import DeadLetters
from headrace.streams.drain import Ending
from headrace.streams.errors import DuplicateWorkerError, UnexpectedError
from headrace.streams.fence import Fence
from headrace.streams.health import Health
from headrace.streams.loop import LoopSettings, RecordLoop
from headrace.streams.meter import Meter
from headrace.streams.pipe import Pipe
from headrace.streams.position import take_positions
from headrace.streams.sender import Sender
from headrace.streams.topics import TopicFacts

__all__ = ["REBALANCE_TIMEOUT_MS", "StageParts", "StageService"]

log = logging.getLogger(__name__)

REBALANCE_TIMEOUT_MS = 30_000
"""How long the group waits for a worker to end its batches in flight; batches stay far below it."""

SESSION_TIMEOUT_MS = 6_000  # a killed worker's partitions move on after this; the broker's least is 6 s
HEARTBEAT_MS = 1_000
MAX_POLL_INTERVAL_MS = 300_000
BEAT_EVERY_S = 3.0
BEAT_PATIENCE_S = 5.0


@dataclass(frozen=True)
class StageParts:
    """What the worker made before the stage starts."""

    plan: Plan
    pipe: Pipe
    bootstrap: str
    topics: Mapping[str, TopicFacts]
    health: Health
    meter: Meter
    worker: str | None
    ending: Ending


class StageService(Service):  # type: ignore[misc]  # mode has no types
    """Consumer, producers and record loop of the only stage that reads a topic."""

    parts: StageParts
    logger = logging.getLogger("mode.stage")  # mode's own start and stop lines; ours say more

    async def on_start(self) -> None:
        """Connect, and join the consumer group."""
        plan = self.parts.plan
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="steps")
        self._producer = self._new_producer()
        self._dead_producer = self._new_producer(compression_type="gzip")
        self._consumer = self._new_consumer()
        await asyncio.gather(self._producer.start(), self._dead_producer.start())
        self._loop = self._new_loop()
        self._consumer.subscribe([plan.input.topic], listener=_Listener(self._loop, self._refuse_rival()))
        await self._consumer.start()
        self.parts.ending.drained.clear()
        self.parts.ending.drain = self._drain
        self._run = asyncio.create_task(self._guard())
        self._beat = asyncio.create_task(self._heartbeats())

    async def on_stop(self) -> None:
        """Leave the group and close the clients; when Faust crashed, the batches in flight end first."""
        await self._drain()
        self._beat.cancel()
        await asyncio.gather(self._run, self._beat, return_exceptions=True)
        for client in (self._consumer, self._producer, self._dead_producer):
            await client.stop()
        self._executor.shutdown()

    async def _drain(self) -> None:
        """No new batch; every batch in flight ends and is committed."""
        try:
            if await self._loop.stop():
                self.parts.ending.drained.set()
        except (KafkaError, TimeoutError) as error:  # the broker may be gone; what is not committed is read again
            log.warning("the last commit failed, those records will be read again: %s", error)

    async def _guard(self) -> None:
        try:
            await self._loop.run()
        except HeadraceError as error:
            self.parts.ending.fail(error)
        except BaseException as error:  # noqa: BLE001 - a loop that is gone must not look like one that has no work
            fault = f"the record loop ended by {type(error).__name__}: {error}"
            self.parts.ending.fail(UnexpectedError(fault, mend="report it with the log"))

    def _refuse_rival(self) -> Callable[[], None]:
        worker = self.parts.worker
        if not worker:
            return lambda: None  # members without a name cannot push each other out
        fence = Fence(worker)

        def look() -> None:
            try:
                fence.joined(self._consumer._coordinator.member_id)  # aiokafka tells it nowhere else
            except DuplicateWorkerError as error:
                self.parts.ending.fail(error)

        return look

    async def _heartbeats(self) -> None:
        """Write a sign of life every few seconds: it is also how this worker knows that the broker answers."""
        plan = self.parts.plan
        key = (self.parts.worker or "worker").encode()
        while True:
            value = json.dumps({"time": time.time(), "plan": plan.hash, **self.parts.health.facts()}).encode()
            try:
                future = await self._producer.send(plan.heartbeat_topic, value, key=key)
                await asyncio.wait_for(future, BEAT_PATIENCE_S)
                self.parts.health.broker()
            except (KafkaError, TimeoutError) as error:
                self.parts.health.broker(f"the broker does not answer ({type(error).__name__})")
            self._note_lag()
            await asyncio.sleep(BEAT_EVERY_S)

    def _note_lag(self) -> None:
        ends = {tp: self._consumer.highwater(tp) for tp in self._consumer.assignment() if tp in self._done}
        self.parts.meter.lag(
            {tp.partition: max(0, end - self._done[tp]) for tp, end in ends.items() if end is not None}
        )

    def _new_loop(self) -> RecordLoop:
        plan, parts = self.parts.plan, self.parts
        self._done: dict[Any, int] = {}
        compacted = [name for name, facts in parts.topics.items() if facts.is_compacted]
        committer = Committer(self._commit, self._consumer.assignment, plan.delivery.commit_every)

        async def resume() -> Mapping[Any, int]:
            tps = self._consumer.assignment()
            chosen = await take_positions(self._consumer, tps, plan.input, parts.meter.gap)
            self._done = {tp: await self._consumer.position(tp) for tp in tps}
            return chosen

        return RecordLoop(
            consumer=self._consumer,
            process=parts.pipe.process,
            executor=self._executor,
            sender=Sender(self._producer, self._dead_producer, DeadLetters(plan), compacted),
            committer=committer,
            resume=resume,
            limit=BatchLimit(plan.batch.max_records, REBALANCE_TIMEOUT_MS / 1000 / 8),
            health=parts.health,
            meter=parts.meter,
            settings=LoopSettings(max_wait_ms=plan.batch.max_wait),
        )

    async def _commit(self, offsets: Mapping[Any, int]) -> None:
        await self._consumer.commit(dict(offsets))
        self._done.update(offsets)

    def _new_producer(self, **more: Any) -> AIOKafkaProducer:
        limits = [facts.max_message_bytes for facts in self.parts.topics.values()]
        return AIOKafkaProducer(
            bootstrap_servers=self.parts.bootstrap,
            client_id=self._client_id("producer"),
            acks="all",
            linger_ms=0,
            # A batch of many small results must fit the smallest topic, or none of them could ever be sent.
            max_batch_size=min(131_072, *limits),
            # Refusals are the broker's to make: it knows each topic's own limit.
            max_request_size=100 << 20,
            **more,
        )

    def _new_consumer(self) -> AIOKafkaConsumer:
        plan, worker = self.parts.plan, self.parts.worker
        return AIOKafkaConsumer(
            bootstrap_servers=self.parts.bootstrap,
            client_id=self._client_id("consumer"),
            group_id=plan.consumer_group,
            group_instance_id=f"{worker}-ingress" if worker else None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            # New partitions, and a topic made anew, are seen within this time; 5 minutes by default.
            metadata_max_age_ms=10_000,
            fetch_max_wait_ms=20,
            fetch_min_bytes=1,
        )

    def _client_id(self, role: str) -> str:
        return f"headrace-{self.parts.plan.pipeline}-{self.parts.worker or 'worker'}-{role}"


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Tells the loop when partitions come and go."""

    def __init__(self, loop: RecordLoop, on_joined: Callable[[], None]) -> None:
        self._loop, self._on_joined = loop, on_joined

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Called before the group is joined anew; the partitions are ours until this returns."""
        if revoked:
            await self._loop.revoked()

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Called when the group has agreed."""
        self._loop.assigned()
        self._on_joined()
        log.info("partitions assigned: %s", sorted(tp.partition for tp in assigned))
