"""Reads a message again where it lies: a record that fails behind a link needs its original for its dead letter."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from headrace.core.record import Message, Position

__all__ = ["Originals"]

log = logging.getLogger(__name__)

PATIENCE_S = 10.0


class Originals:
    """A consumer without a group, made when the first message is asked for.

    Args:
        make: returns a consumer, not started, that belongs to no group.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._consumer: Any = None
        self._lock = asyncio.Lock()

    async def read(self, position: Position) -> Message | None:
        """Return the message; None when it has expired.

        Raises:
            KafkaError: the broker does not answer; nothing may be committed then.
        """
        async with self._lock:
            if self._consumer is None:
                self._consumer = await self._started()
            return await self._read(position)

    async def close(self) -> None:
        """Close the consumer, if there is one."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def _started(self) -> Any:
        """Return a consumer that is connected; one that could not be is of no use later either."""
        consumer = self._make()
        try:
            await consumer.start()
        except BaseException:
            with suppress(KafkaError):
                await consumer.stop()
            raise
        return consumer

    async def _read(self, position: Position) -> Message | None:
        tp = TopicPartition(position.topic, position.partition)
        self._consumer.assign([tp])
        first = (await self._consumer.beginning_offsets([tp]))[tp]
        end = (await self._consumer.end_offsets([tp]))[tp]
        if not first <= position.offset < end:
            return None
        self._consumer.seek(tp, position.offset)
        try:
            message: Message = await asyncio.wait_for(self._consumer.getone(tp), PATIENCE_S)
        except OffsetOutOfRangeError:  # it expired in this moment
            return None
        except TimeoutError:
            raise KafkaError(f"{position} could not be read again within {PATIENCE_S:g} s") from None
        return message if message.position.offset == position.offset else None  # or it was compacted away
