"""Looks at a broker from outside every group: a client for its facts and a consumer for offsets, kept between looks."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from headrace.streams.access.admin import admin, silence
from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denial
from headrace.streams.access.refusal import why_unreachable

__all__ = ["FETCH_BYTES", "Observer"]

FETCH_BYTES = 1 << 14  # one record a partition is all that is ever read; a broker gives it whatever its size (KIP-74)
START_S = 10.0
CLOSE_S = 2.0


class Observer:
    """Connects when it is first asked, and keeps its connections until it is closed; then it may be asked again.

    Whoever looks every second must not connect anew each time: on a worker that drains its links that was most of the
    processor's work. After an error of the broker, close it: the next look then finds the broker where it is by then.

    Args:
        connection: the broker's address.
        name: says whose connections these are, to whoever reads the broker's log.
        is_wary: whether topics end after their last message, be it committed or not; else before the first open
            transaction. Whoever must miss nothing that may still be committed has to be wary.
    """

    def __init__(self, connection: Connection, name: str, *, is_wary: bool = False) -> None:
        self._connection, self._name, self._is_wary = connection, name, is_wary
        self._held = AsyncExitStack()
        self._client: Any = None
        self._consumer: Any = None

    async def client(self) -> Any:
        """Return aiokafka's admin client.

        Raises:
            BrokerUnreachableError: HR201.
        """
        if self._client is None:
            self._client = await self._held.enter_async_context(admin(self._connection))
        return self._client

    async def consumer(self) -> Any:
        """Return a consumer of aiokafka that is in no group.

        Raises:
            BrokerUnreachableError: HR201.
        """
        if self._consumer is None:
            consumer = self._new_consumer()
            self._held.push_async_callback(_stop, consumer)
            await self._start(consumer)
            self._consumer = consumer
        return self._consumer

    async def close(self) -> None:
        """Let go of the broker; one that is away is not waited for."""
        held, self._held = self._held, AsyncExitStack()
        self._client = self._consumer = None
        await held.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        if error is not None and (denied := denial(error, self._connection)) is not None:
            raise denied from None

    def _new_consumer(self) -> Any:
        from aiokafka import AIOKafkaConsumer

        return AIOKafkaConsumer(
            **self._connection.options,
            client_id=f"headrace-{self._name}",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_uncommitted" if self._is_wary else "read_committed",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=200,
        )

    async def _start(self, consumer: Any) -> None:
        from aiokafka.errors import KafkaError

        try:
            with silence():
                await asyncio.wait_for(consumer.start(), START_S)
        except (KafkaError, OSError, TimeoutError) as error:
            raise await why_unreachable(self._connection, error) from None


async def _stop(consumer: Any) -> None:
    # Not wait_for: aiokafka's stop() may swallow the cancellation that it would then wait for.
    await asyncio.wait({asyncio.ensure_future(consumer.stop())}, timeout=CLOSE_S)
