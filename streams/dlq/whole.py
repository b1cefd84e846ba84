"""Read a topic from its first message to the end that it has now: in no consumer group, with bounded memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

from headrace.core.record import Message, Position
from headrace.streams.access.admin import admin
from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denials
from headrace.streams.errors import BrokerUnreachableError
from headrace.streams.topic_facts import describe

__all__ = ["Span", "Whole", "whole"]

STALL_S = 30.0
POLL_MS = 500  # an arriving message ends the wait, so this is no delay
MOST_RECORDS = 200


class Span(NamedTuple):
    """Offsets of a partition: the first one, and the one behind the last."""

    first: int
    end: int


class Whole:
    """A topic as it was when it was opened.

    Attributes:
        topic: its name.
        spans: what each partition holds; empty when there is no such topic.
    """

    def __init__(self, topic: str, consumer: Any, connection: Connection, spans: Mapping[int, Span]) -> None:
        self.topic, self._consumer, self._connection, self.spans = topic, consumer, connection, spans

    async def messages(self, spans: Mapping[int, Span] | None = None) -> AsyncIterator[list[Message]]:
        """Yield what there is, each partition in its order.

        Args:
            spans: which offsets of which partitions; all of them unless given.

        Raises:
            BrokerUnreachableError: HR201, the broker stopped answering.
        """
        from aiokafka import TopicPartition

        asked = self.spans if spans is None else spans
        left = {TopicPartition(self.topic, number): span for number, span in asked.items() if span.first < span.end}
        if left:
            self._consumer.assign(list(left))
        for tp, span in left.items():
            self._consumer.seek(tp, span.first)
        idle_s = 0.0
        while left:
            with _refused(self.topic, self._connection):
                found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=MOST_RECORDS)
            idle_s = 0.0 if found else idle_s + POLL_MS / 1000
            if idle_s > STALL_S:
                raise BrokerUnreachableError(f"the broker sends nothing more of {self.topic!r}", mend="try again")
            for tp, raws in found.items():
                end = left[tp].end if tp in left else 0
                if messages := [_message(raw) for raw in raws if raw.offset < end]:
                    yield messages
            await self._pass_done(left)

    async def _pass_done(self, left: dict[Any, Span]) -> None:
        """Let go of partitions that are read to their end, which may be behind the last message: markers lie there."""
        done = [tp for tp, span in left.items() if await self._consumer.position(tp) >= span.end]
        for tp in done:
            del left[tp]
        if done and left:
            self._consumer.pause(*done)


@asynccontextmanager
async def whole(connection: Connection, topic: str) -> AsyncIterator[Whole]:
    """Give a topic for reading; one that does not exist has no partitions.

    Raises:
        BrokerUnreachableError: HR201, nobody answers there.
        AccessDeniedError: HR243, the topic may not be read.
    """
    from aiokafka import AIOKafkaConsumer, TopicPartition

    async with admin(connection) as client:
        there = await describe(client, [topic])  # asking for it as a consumer might make it
    if topic not in there:
        yield Whole(topic, None, connection, {})
        return
    consumer = AIOKafkaConsumer(
        **connection.options,
        client_id="headrace-dlq",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        with _refused(topic, connection):
            await consumer.start()
            tps = [TopicPartition(topic, number) for number in range(there[topic].partitions)]
            first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        yield Whole(topic, consumer, connection, {tp.partition: Span(first[tp], end[tp]) for tp in tps})
    finally:
        await consumer.stop()


@contextmanager
def _refused(topic: str, connection: Connection) -> Iterator[None]:
    from aiokafka.errors import KafkaError

    try:
        with denials(connection, topic=topic):
            yield
    except KafkaError as error:
        raise BrokerUnreachableError(
            f"{topic!r} cannot be read: {type(error).__name__}: {error}",
            mend="look at the broker's log, or ask for the permission to read it",
        ) from None


def _message(raw: Any) -> Message:
    position = Position(raw.topic, raw.partition, raw.offset)
    return Message(position, raw.key, raw.value, tuple(raw.headers), raw.timestamp)
