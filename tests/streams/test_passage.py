"""Offsets that hold no record, on the real Kafka: the ends of transactions, and what was aborted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from headrace.streams.broker import Running
from headrace.streams.passage import Passage
from tests.support.client import PATIENCE_S, Client

pytestmark = pytest.mark.broker


@asynccontextmanager
async def reading(bootstrap: str, topic: str) -> AsyncIterator[tuple[Any, Any]]:
    tp = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, isolation_level="read_committed")
    await consumer.start()
    try:
        consumer.assign([tp])
        consumer.seek(tp, 0)
        yield consumer, tp
    finally:
        await consumer.stop()


async def test_a_reader_passes_by_what_is_no_record_for_it(kafka: Running, topic: Callable[..., str]) -> None:
    client = Client(kafka.bootstrap)
    client.make_topic(topic())
    async with reading(kafka.bootstrap, topic()) as (consumer, tp):
        passage = Passage(consumer)
        await passage.begin([tp])
        assert await passage.passed() == {}

        client.publish_in_transaction(topic(), b"a", b"b", is_committed=True)
        first = await consumer.getone(tp)
        assert await passage.took({tp: first.offset + 1}) == {tp: 1}
        second = await consumer.getone(tp)
        took = await passage.took({tp: second.offset + 1})
        passed = {**took, **await _passed(passage, consumer, 3)}
        assert passed == {tp: 3}, "the end of the transaction has offset 2"

        client.publish_in_transaction(topic(), b"c", is_committed=False)
        assert await _passed(passage, consumer, 5) == {tp: 5}, "what was aborted, and its end"
        assert await passage.passed() == {}


async def _passed(passage: Passage, consumer: Any, end: int) -> dict[Any, int]:
    """Poll, which returns nothing, until the position is there; return what was passed."""
    (tp,) = consumer.assignment()
    async with asyncio.timeout(PATIENCE_S):
        while await consumer.position(tp) < end:
            assert await consumer.getmany(timeout_ms=20) == {}
    return await passage.passed()
