"""Makes the Kafka clients of one stage: its consumer, those that look things up, and its producers."""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaProducer

from headrace.streams.bounded_consumer import BoundedConsumer
from headrace.streams.stage_parts import StageParts
from headrace.streams.topic_facts import LARGEST_REQUEST_BYTES
from headrace.streams.transactions import TRANSACTION_S

__all__ = ["REBALANCE_TIMEOUT_MS", "StageClients"]

REBALANCE_TIMEOUT_MS = 30_000
"""How long the group waits for a worker to end its batches in flight; batches stay far below it."""

SESSION_TIMEOUT_MS = 6_000  # a killed worker's partitions move on after this; the broker's least is 6 s
HEARTBEAT_MS = 1_000
MAX_POLL_INTERVAL_MS = 300_000

FETCH_BYTES = 1 << 20  # of one partition at once; aiokafka's default
AHEAD_BYTES = 64 << 20  # what aiokafka may hold of all partitions, for it knows no limit of its own


class StageClients:
    """Makes them; whoever asks for one starts and stops it."""

    def __init__(self, parts: StageParts) -> None:
        self._parts, self._worker = parts, parts.worker

    def consumer(self, group: str | None, fetch_bytes: int = FETCH_BYTES) -> BoundedConsumer:
        """Return a consumer, of a group or of none, that takes so much of a partition at once."""
        name, source = self._worker.worker, self._parts.plan.input
        return BoundedConsumer(
            limits={source.topic: source.max_batch_bytes},
            **self._worker.connection.options,
            client_id=self._client_id("consumer"),
            group_id=group,
            group_instance_id=f"{name}-{self._parts.stage.name}" if name and group else None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            # New partitions, and a topic made anew, are seen within this time; 5 minutes by default.
            metadata_max_age_ms=10_000,
            max_partition_fetch_bytes=min(fetch_bytes, AHEAD_BYTES // self._parts.width),
            fetch_max_wait_ms=100,
            fetch_min_bytes=1,
        )

    def producer(self, **more: Any) -> AIOKafkaProducer:
        """Return a producer, with more of aiokafka's settings if need be."""
        limits = [facts.max_message_bytes for facts in self._worker.topics.values()]
        return AIOKafkaProducer(
            **self._worker.connection.options,
            client_id=self._client_id("producer"),
            acks="all",
            linger_ms=0,
            # A batch of many small results must fit the smallest topic, or none of them could ever be sent.
            max_batch_size=min(131_072, *limits),
            # Refusals are the broker's to make: it knows each topic's own limit.
            max_request_size=LARGEST_REQUEST_BYTES,
            **more,
        )

    def transactional(self, id: str) -> AIOKafkaProducer:
        """Return a producer whose transactions have an id."""
        timeout_ms = int(TRANSACTION_S * 1000)
        return self.producer(transactional_id=id, transaction_timeout_ms=timeout_ms)

    def _client_id(self, role: str) -> str:
        return f"headrace-{self._parts.plan.pipeline}-{self._worker.instance}-{role}"
