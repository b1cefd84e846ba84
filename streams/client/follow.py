"""Follow topics without a consumer group: topics that come later, and a broker that goes and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from headrace.core.record import Message, Position
from headrace.streams.access.admin import admin
from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denials

__all__ = ["Follower", "following"]

Tell = Callable[[str], None]

_LOOK_S = 1.0
_POLL_MS = 200
_ANSWER_S = 5.0


class Follower:
    """Reads topics from their end, or from their beginning; one that is made later is read whole."""

    def __init__(
        self,
        consumer: Any,
        client: Any,
        topics: Sequence[str],
        *,
        connection: Connection,
        from_start: bool,
        tell: Tell,
    ) -> None:
        self._consumer, self._client, self._connection = consumer, client, connection
        self._topics, self._from_start, self._tell = topics, from_start, tell
        self._next: dict[Any, int] = {}
        self._absent: set[str] | None = None
        self._is_lost = False
        self._look_at = 0.0

    async def messages(self) -> AsyncIterator[list[Message]]:
        """Yield what has come, oldest first, several times a second, also when that is nothing; never end.

        Raises:
            AccessDeniedError: HR243, the broker does not let us read.
        """
        while True:
            if time.monotonic() >= self._look_at:
                await self._look()
            yield await self._poll()

    async def _poll(self) -> list[Message]:
        if not self._next:
            await asyncio.sleep(_POLL_MS / 1000)
            return []
        with denials(self._connection):
            found: dict[Any, list[Any]] = await self._consumer.getmany(timeout_ms=_POLL_MS)
        for partition, records in found.items():
            self._next[partition] = records[-1].offset + 1
        messages = [_message(record) for records in found.values() for record in records]
        return sorted(messages, key=lambda message: message.timestamp_ms)

    async def _look(self) -> None:
        """See which topics and partitions there are; nothing is made by looking."""
        from aiokafka.errors import KafkaError

        try:
            with denials(self._connection):
                there = await asyncio.wait_for(self._partitions(), _ANSWER_S)
                await asyncio.wait_for(self._take(there), _ANSWER_S)
        except (KafkaError, OSError, TimeoutError):
            if not self._is_lost:
                self._tell("the broker does not answer; waiting for it")
            self._is_lost = True
        else:
            if self._is_lost:
                self._tell("the broker answers again")
            self._is_lost = False
        self._look_at = time.monotonic() + _LOOK_S

    async def _partitions(self) -> set[Any]:
        from aiokafka import TopicPartition

        # Asked for all topics, since asking for one by name makes it where auto.create.topics.enable is on.
        described = await self._client.describe_topics()
        return {
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            if topic["topic"] in self._topics
            for partition in topic["partitions"]
        }

    async def _take(self, there: set[Any]) -> None:
        new = there - self._next.keys()
        if new or self._next.keys() - there:
            known = {partition: offset for partition, offset in self._next.items() if partition in there}
            self._consumer.assign(list(there))
            offsets = {**known, **await self._starts(new)}
            for partition, offset in offsets.items():
                self._consumer.seek(partition, offset)
            self._next = offsets
        self._tell_of({partition.topic for partition in there})

    async def _starts(self, new: Iterable[Any]) -> dict[Any, int]:
        is_first = self._absent is None
        ask = self._consumer.end_offsets if is_first and not self._from_start else self._consumer.beginning_offsets
        starts: dict[Any, int] = await ask(list(new)) if new else {}
        return starts

    def _tell_of(self, present: set[str]) -> None:
        absent = set(self._topics) - present
        if absent == self._absent:
            return
        if self._absent is None and present:
            self._tell(f"following {', '.join(topic for topic in self._topics if topic in present)}")
        elif came := (self._absent or set()) - absent:
            self._tell(f"following {', '.join(sorted(came))} as well")
        if absent:
            self._tell(f"waiting for {', '.join(sorted(absent))}, which {_is_are(absent)} not there yet")
        self._absent = absent


@asynccontextmanager
async def following(
    connection: Connection, topics: Sequence[str], *, from_start: bool, tell: Tell
) -> AsyncIterator[Follower]:
    """Give a follower of topics.

    Args:
        connection: the broker's address.
        topics: their names; they need not exist yet.
        from_start: whether to begin with the oldest message; else with the next one.
        tell: told what is followed, waited for or lost.

    Raises:
        BrokerUnreachableError: HR201, nobody answers there.
    """
    from aiokafka import AIOKafkaConsumer

    async with admin(connection) as client:
        consumer = AIOKafkaConsumer(
            **connection.options,
            client_id="headrace-tail",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        await consumer.start()
        try:
            yield Follower(consumer, client, topics, connection=connection, from_start=from_start, tell=tell)
        finally:
            await consumer.stop()


def _is_are(names: set[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _message(record: Any) -> Message:
    return Message(
        position=Position(record.topic, record.partition, record.offset),
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
        timestamp_ms=record.timestamp,
    )
