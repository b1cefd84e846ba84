"""Read the control topic: whole, then on and on; never in a consumer group, since every worker needs all of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from headrace.core.control import Settings
from headrace.core.wire.control import SettingFormError
from headrace.streams.access.admin import silence
from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denial
from headrace.streams.errors import BrokerUnreachableError

__all__ = ["ControlReader", "OnChange"]

log = logging.getLogger(__name__)

OnChange = Callable[[Settings, frozenset[str]], object]
"""Told the settings now in force, and the keys that were written since the last time."""

POLL_MS = 500  # an arriving record ends the wait, so this is no delay
AGAIN_S = 1.0
WHOLE_S = 60.0  # thousands of settings take less than a second; a broker that starts anew takes some
START_S = 10.0
CLOSE_S = 2.0


class ControlReader:
    """Holds the settings of a pipeline, as far as they were read.

    Args:
        connection: the broker's address.
        pipeline: the pipeline's name. Its topic `<pipeline>.control` must be there: it is made with the others.
    """

    def __init__(self, connection: Connection, pipeline: str) -> None:
        self._connection, self.topic = connection, f"{pipeline}.control"
        self._consumer: Any = None
        self.settings = Settings()
        """What is in force, as far as it was read."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def read_whole(self) -> Settings:
        """Read everything that is there by now, and return what is in force.

        Raises:
            BrokerUnreachableError: HR201, the broker does not answer, or not to the end.
            AccessDeniedError: HR243, it does not let us.
        """
        from aiokafka.errors import KafkaError

        try:
            async with asyncio.timeout(WHOLE_S):
                await self._start()
                (partition,) = self._consumer.assignment()
                with silence():  # a topic that was made a moment ago may have no leader yet; aiokafka asks again
                    end = (await self._consumer.end_offsets([partition]))[partition]
                while await self._consumer.position(partition) < end:
                    await self._poll()
        except (KafkaError, OSError, TimeoutError, ValueError) as error:
            denied = denial(error, self._connection, topic=self.topic)
            raise denied or BrokerUnreachableError(
                f"{self.topic} could not be read from the broker at {self._connection} ({type(error).__name__})",
                mend="start it, or correct broker.bootstrap or HEADRACE_BROKER",
            ) from None
        return self.settings

    async def follow(self, on_change: OnChange) -> None:
        """Go on reading until cancelled, and tell of every change; call `read_whole` first.

        While the broker is away nothing changes; then it goes on where it was.

        Raises:
            AccessDeniedError: HR243, the broker does not let us any more.
        """
        from aiokafka.errors import KafkaError

        while True:
            try:
                changed = await self._poll()
            except (KafkaError, OSError) as error:
                if (denied := denial(error, self._connection, topic=self.topic)) is not None:
                    raise denied from None
                log.warning("%s cannot be followed for the moment: %s: %s", self.topic, type(error).__name__, error)
                await asyncio.sleep(AGAIN_S)
                continue
            if changed:
                on_change(self.settings, changed)

    async def close(self) -> bool:
        """Let go of the broker; a broker that is away is not waited for. Returns whether nothing is left running."""
        if self._consumer is None:
            return True
        consumer, self._consumer = self._consumer, None
        # Not wait_for: aiokafka's stop() may swallow the cancellation that it would then wait for.
        stopping = asyncio.ensure_future(consumer.stop())
        done, _ = await asyncio.wait({stopping}, timeout=CLOSE_S)
        return bool(done)

    async def _start(self) -> None:
        from aiokafka import AIOKafkaConsumer, TopicPartition

        if self._consumer is not None:
            return
        consumer = AIOKafkaConsumer(
            **self._connection.options,
            client_id="headrace-control",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=POLL_MS,
        )
        try:
            await asyncio.wait_for(consumer.start(), START_S)
        except BaseException:
            await consumer.stop()
            raise
        self._consumer = consumer
        partition = TopicPartition(self.topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)

    async def _poll(self) -> frozenset[str]:
        """Take in what has come, and return its keys."""
        found: dict[Any, list[Any]] = await self._consumer.getmany(timeout_ms=POLL_MS)
        return frozenset(key for records in found.values() for record in records if (key := self._take(record)))

    def _take(self, record: Any) -> str:
        """Put one record's change in force; return its key, empty when it is passed over."""
        key = (record.key or b"").decode(errors="backslashreplace")
        try:
            self.settings = self.settings.with_change(key, record.value)
        except SettingFormError as error:
            log.warning("setting %r at offset %d of %s is passed over: %s", key, record.offset, self.topic, error)
            return ""
        return key
