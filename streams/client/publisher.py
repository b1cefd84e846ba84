"""Sends messages and counts acknowledgements: never more than a window of unacknowledged ones, none forgotten."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denial
from headrace.streams.access.errors import AccessDeniedError
from headrace.streams.access.refusal import why_unreachable
from headrace.streams.client.parcel import Parcel
from headrace.streams.errors import BrokerUnreachableError

__all__ = ["Publisher", "publishing"]

_WINDOW = 2000
_OVERHEAD_BYTES = 61 + 21 + 10
"""Of a record batch, of a record in it, and of its lengths. Source: Kafka's message format, version 2."""

_HEADER_BYTES = 10  # two lengths of up to five bytes each
_STALL_S = 30.0
_STOP_S = 5.0
_LARGEST_REQUEST = 128 << 20
"""The topic's own limit is the one that counts; it is known before anything is sent."""


class Publisher:
    """Sends to one topic.

    A message that its topic would refuse is counted and not sent: after a refusal an idempotent producer has a hole
    in its sequence, and the partition takes nothing more from it.

    Attributes:
        acknowledged: messages that the broker has.
        refused: messages that it does not have, by reason.
    """

    def __init__(self, producer: Any, topic: str, *, limit_bytes: int, connection: Connection) -> None:
        self._producer, self._topic = producer, topic
        self._limit_bytes, self._connection = limit_bytes, connection
        self._pending: set[asyncio.Future[Any]] = set()
        self._progress = asyncio.Event()
        self.acknowledged = 0
        self.refused: Counter[str] = Counter()
        self.denied: AccessDeniedError | None = None
        """What the broker does not let us do; None while it lets us."""
        self.is_broken = False
        """Whether the broker refused something; nothing more should be sent then."""

    @property
    def in_flight(self) -> int:
        """Messages sent and not yet acknowledged."""
        return len(self._pending)

    async def send(self, parcel: Parcel) -> None:
        """Send a message; waits while the window is full.

        Raises:
            BrokerUnreachableError: HR201, nothing is acknowledged any more.
        """
        from aiokafka.errors import KafkaError, KafkaTimeoutError

        if _most_bytes(parcel) > self._limit_bytes:
            self.refused[f"larger than the {self._limit_bytes:,} bytes that topic {self._topic!r} takes"] += 1
            return
        while len(self._pending) >= _WINDOW:
            await self._await_progress()
        try:
            pending = await self._producer.send(self._topic, parcel.value, key=parcel.key, headers=list(parcel.headers))
        except KafkaTimeoutError:
            raise self._stalled() from None
        except KafkaError as error:
            self._refuse(error)
            return
        self._pending.add(pending)
        pending.add_done_callback(self._on_answer)

    async def drain(self) -> None:
        """Wait until everything sent is acknowledged or refused.

        Raises:
            BrokerUnreachableError: HR201, nothing is acknowledged any more.
        """
        while self._pending and not self.is_broken:
            await self._await_progress()

    def _on_answer(self, pending: asyncio.Future[Any]) -> None:
        self._pending.discard(pending)
        self._progress.set()
        if pending.cancelled():
            return
        error = pending.exception()
        if error is None:
            self.acknowledged += 1
        else:
            self._refuse(error)

    def _refuse(self, error: BaseException) -> None:
        self.is_broken = True
        self.denied = denial(error, self._connection, operation="Write", topic=self._topic)
        self.refused[" ".join(str(error).split()) or type(error).__name__] += 1

    async def _await_progress(self) -> None:
        self._progress.clear()
        try:
            await asyncio.wait_for(self._progress.wait(), _STALL_S)
        except TimeoutError:
            raise self._stalled() from None

    def _stalled(self) -> BrokerUnreachableError:
        return BrokerUnreachableError(
            f"the broker at {self._connection} has acknowledged nothing for {_STALL_S:g} s; messages that are there: "
            f"{self.acknowledged:,}, that may or may not be there: {len(self._pending):,}",
            mend="start the broker, then publish the rest",
        )


@asynccontextmanager
async def publishing(connection: Connection, topic: str, *, limit_bytes: int) -> AsyncIterator[Publisher]:
    """Give a publisher for a topic that exists.

    Raises:
        BrokerUnreachableError: HR201, nobody answers there.
        AccessDeniedError: HR243, we may not write to the topic.
    """
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    producer = AIOKafkaProducer(
        **connection.options,
        client_id="headrace-publish",
        enable_idempotence=True,
        linger_ms=5,
        max_batch_size=64 << 10,
        request_timeout_ms=int(_STALL_S * 1000),
        max_request_size=_LARGEST_REQUEST,
    )
    try:
        await producer.start()
    except (KafkaError, OSError, ValueError) as error:
        await producer.stop()
        denied = denial(error, connection, operation="Write", topic=topic)
        raise denied or await why_unreachable(connection, error) from None
    try:
        yield Publisher(producer, topic, limit_bytes=limit_bytes, connection=connection)
    finally:
        with suppress(
            TimeoutError
        ):  # a producer waits for ever for what it could not send; everything is counted by now
            await asyncio.wait_for(producer.stop(), _STOP_S)
        await producer.client.close()


def _most_bytes(parcel: Parcel) -> int:
    """Return an upper bound of the bytes that a message takes in a batch of its own."""
    headers = sum(len(name) + len(value) + _HEADER_BYTES for name, value in parcel.headers)
    return len(parcel.key or b"") + len(parcel.value or b"") + headers + _OVERHEAD_BYTES
