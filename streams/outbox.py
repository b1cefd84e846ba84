"""Messages into the batches of a producer, with one acknowledgement for each batch instead of one for each message.

aiokafka's `send()` makes a future, asks for the metadata and hashes the key for every message: without a model that was
a third of all that a worker did. This fills the same batches, of the same accumulator, in the same order.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache
from itertools import islice
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    IllegalOperation,
    InvalidTimestampError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerClosed,
    RecordListTooLargeError,
    RecordTooLargeError,
)
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder, MessageBatch
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from headrace.core.record import Outgoing
from headrace.core.wire.errors import ResultRefusedError

__all__ = ["REFUSALS", "TOO_LARGE", "Outbox", "heard"]

TOO_LARGE = (MessageSizeTooLargeError, RecordTooLargeError, RecordListTooLargeError)
REFUSALS = (*TOO_LARGE, InvalidTimestampError, ResultRefusedError)
"""A refusal is the message's fault and for ever; anything else is waited out."""

_UNBOUNDED = 1 << 30
_LONG_KEY_BYTES = 200  # longer ones are hashed anew: tens of thousands of them would be much to remember


class Outbox:
    """The way into one producer of aiokafka.

    Where a batch fails, nothing goes to its partition any more until `renew`: what waits behind it fails with it, and
    what comes is not taken. By itself aiokafka would give up a batch that the broker did not take for 40 seconds, and
    send a younger one behind it, which then lies in front of it once it is sent again.

    Args:
        producer: started, or started before the first message.
    """

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._batches, self._cluster = producer._message_accumulator, producer.client.cluster
        self._partitions: dict[str, list[TopicPartition]] = {}
        self._failed: dict[TopicPartition, BaseException] = {}
        self._cluster.add_listener(self._forget)

    def add(self, messages: Sequence[Outgoing], start: int = 0) -> list[asyncio.Future[Any]]:
        """Add messages, from one of them on, to the batches that their partitions have, while these have room.

        What is left, from the first one on that has to wait or is refused, is `put`'s, which costs twice as much. Only
        the first message of a batch can be larger than any request may be, and that one is never added here.

        Returns:
            The acknowledgements of those that were added.
        """
        sent: list[asyncio.Future[Any]] = []
        if self._fault() is not None:
            return sent
        known, batches, failed = self._known, self._batches._batches, self._failed
        for message in islice(messages, start, None):
            tp = known(message)
            waiting = batches.get(tp)
            if not waiting or tp in failed or not _takes(batch := waiting[-1], message):
                break
            sent.append(batch.future)
        return sent

    async def put(self, message: Outgoing) -> asyncio.Future[Any]:
        """Add a message to its partition's batch; return the acknowledgement of that batch.

        Raises:
            ResultRefusedError: the topic has no such partition.
            MessageSizeTooLargeError: the message is larger than any request may be.
            KafkaError: the producer is closed or broken, the broker has not taken a batch for too long, or a message
                of this partition failed before.
        """
        headers = list(message.headers)
        size = DefaultRecordBatchBuilder.estimate_size_in_bytes(message.key, message.value, headers)
        if size > self._producer._max_request_size:
            raise MessageSizeTooLargeError(f"the message has {size:,} bytes")
        tp = await self._place(message)
        give_up: float | None = None
        while True:
            self._look(tp)
            waiting = self._batches._batches.get(tp)
            batch = waiting[-1] if waiting else self._new_batch(tp)
            if _takes(batch, message):
                acknowledgement: asyncio.Future[Any] = batch.future
                return acknowledgement
            give_up = give_up or time.monotonic() + self._producer._request_timeout_ms / 1000
            if time.monotonic() > give_up:
                raise KafkaTimeoutError
            await batch.wait_drain(give_up - time.monotonic())

    async def put_alone(self, message: Outgoing, *, compress: bool = False) -> asyncio.Future[Any]:
        """Add a message as a batch of its own, compressed if asked for; return its acknowledgement.

        Raises:
            ResultRefusedError, KafkaError: as of `put`.
        """
        codec = DefaultRecordBatch.CODEC_GZIP if compress else self._batches._compression_type
        manager = self._producer._txn_manager
        is_transactional = manager is not None and manager.transactional_id is not None
        builder = BatchBuilder(_UNBOUNDED, codec, is_transactional=int(is_transactional))
        builder.append(
            timestamp=message.timestamp_ms, key=message.key, value=message.value, headers=list(message.headers)
        )
        builder.close()
        tp = await self._place(message)
        self._look(tp)
        sent: asyncio.Future[Any] = await self._producer.send_batch(builder, tp.topic, partition=tp.partition)
        return sent

    def renew(self) -> None:
        """Take messages again wherever some have failed: all of them are handed over again, in order."""
        self._failed.clear()

    def _known(self, message: Outgoing) -> TopicPartition | None:
        """Return where a message goes, if that follows from what is known, and not from chance."""
        tps, partition = self._partitions.get(message.topic), message.partition
        if tps is None:
            return None
        if partition is None:
            return None if message.key is None else tps[_hash(message.key) % len(tps)]
        return tps[partition] if 0 <= partition < len(tps) else None

    async def _place(self, message: Outgoing) -> TopicPartition:
        tps = self._partitions.get(message.topic) or await self._learn(message.topic)
        if (known := self._known(message)) is not None:
            return known
        if message.partition is None:
            return self._anywhere(tps)
        if not 0 <= message.partition < len(tps):
            # The topic may have grown, as links do with the input; by itself aiokafka would look within 5 minutes.
            await self._producer.client.force_metadata_update()
            tps = await self._learn(message.topic)
        if not 0 <= message.partition < len(tps):
            fault = f"topic {message.topic!r} has no partition {message.partition}"
            raise ResultRefusedError(fault, mend="correct the sink, or the topic")
        return tps[message.partition]

    def _anywhere(self, tps: list[TopicPartition]) -> TopicPartition:
        led = self._cluster.available_partitions_for_topic(tps[0].topic)
        return random.choice([tp for tp in tps if tp.partition in led] or tps) if led else random.choice(tps)

    async def _learn(self, topic: str) -> list[TopicPartition]:
        numbers = await self._producer.partitions_for(topic)
        tps = [TopicPartition(topic, number) for number in sorted(numbers)]
        self._partitions[topic] = tps
        return tps

    def _forget(self, _: Any) -> None:
        self._partitions.clear()

    def _look(self, tp: TopicPartition) -> None:
        """Raise what aiokafka's `send()` would, and what a message of this partition failed with."""
        error = self._failed.get(tp) or self._fault()
        if error is not None:
            raise copy(error)

    def _fault(self) -> BaseException | None:
        """Return why nothing is taken at all, if that is so."""
        manager, fault = self._producer._txn_manager, self._batches._exception
        if self._batches._closed:
            fault = ProducerClosed()
        elif fault is None and manager is not None and manager.transactional_id is not None:
            fault = None if manager.is_in_transaction() else IllegalOperation("no transaction has begun")
        return fault  # type: ignore[no-any-return]  # aiokafka has no types

    def _new_batch(self, tp: TopicPartition) -> Any:
        batch = self._batches._append_batch(self._batches.create_builder(), tp)
        batch.__class__ = _Batch
        batch.on_failure = self._fail
        batch.future.add_done_callback(heard)
        return batch

    def _fail(self, failed: Any, exception: BaseException) -> None:
        if isinstance(exception, REFUSALS):
            return
        self._failed.setdefault(failed.tp, exception)
        if failed in self._batches._batches.get(failed.tp, ()):  # the producer is at an end and fails all that wait
            return
        for batch in self._batches._batches.pop(failed.tp, ()):
            batch.failure(exception)
            heard(batch._drain_waiter)  # perhaps nobody waits for room


class _Batch(MessageBatch):  # type: ignore[misc]
    """A batch that tells of its failure at once: before the sender has taken what waits behind it."""

    on_failure: Callable[[Any, BaseException], None]

    def failure(self, exception: BaseException) -> None:
        super().failure(exception)
        self.on_failure(self, exception)


def _takes(batch: Any, message: Outgoing) -> bool:
    """Put a message into a batch, as aiokafka's `append()` does; where one has no room, none after it has any."""
    builder = batch._builder
    if builder._closed:
        return False
    at = builder._relative_offset
    if not builder._builder.append(at, message.timestamp_ms, message.key, message.value, list(message.headers)):
        builder.close()
        return False
    builder._relative_offset = at + 1
    return True


def heard(future: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody may wait for any more, or asyncio complains that nobody did."""
    if not future.cancelled():
        future.exception()


def _hash(key: bytes) -> int:
    """Return what Kafka's own clients take modulo the number of partitions."""
    return _remembered(key) if len(key) <= _LONG_KEY_BYTES else _hash_anew(key)


def _hash_anew(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF


_remembered = lru_cache(maxsize=65_536)(_hash_anew)
