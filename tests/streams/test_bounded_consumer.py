"""Messages as a consumer of ours gives them, against what was published, on the real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import ConsumerRebalanceListener, TopicPartition

from headrace.core.record import Message
from headrace.streams import bounded_consumer
from headrace.streams.bounded_consumer import BoundedConsumer
from headrace.streams.broker import Running
from tests.support.client import PATIENCE_S, Client

pytestmark = pytest.mark.broker

COUNT = 700
PACKED = ({"compression.type": "none"}, {"compression.type": "zstd"}, {"compression.type": "gzip", "linger.ms": 50})


@asynccontextmanager
async def reading(bootstrap: str, topic: str, limits: dict[str, int]) -> AsyncIterator[tuple[Any, Any]]:
    tp = TopicPartition(topic, 0)
    consumer = BoundedConsumer(
        limits=limits, bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="none"
    )
    await consumer.start()
    try:
        consumer.assign([tp])
        consumer.seek(tp, 0)
        yield consumer, tp
    finally:
        await consumer.stop()


async def taken(consumer: Any, tp: Any, count: int, most: int) -> list[Message]:
    """Read so many messages, at most so many at a time; the position is behind the last one each time."""
    found: list[Message] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            asked = min(most, count - len(found))
            got = (await consumer.getmany(timeout_ms=200, max_records=asked)).get(tp, [])
            assert len(got) <= asked
            found += got
            if got:
                assert await consumer.position(tp) == got[-1].position.offset + 1
    return found


def seen(messages: list[Message]) -> list[tuple[Any, ...]]:
    return [(it.position.offset, it.key, it.value, it.headers, it.timestamp_ms) for it in messages]


@pytest.mark.parametrize("settings", PACKED)
@pytest.mark.parametrize("most", [1, 7, 10_000])
async def test_every_message_comes_as_it_lies_however_it_is_packed_and_asked_for(
    kafka: Running, topic: Callable[..., str], settings: dict[str, Any], most: int
) -> None:
    client, name = Client(kafka.bootstrap), topic()
    client.make_topic(name, 1)
    sent: list[dict[str, Any]] = [
        {
            "key": b"k%d" % at if at % 3 else None,
            "value": b"v" * (at % 40 * 50) if at % 5 else None,
            "headers": [("a", b"%d" % at), ("a", None)] if at % 2 else [],
            "timestamp": 1_000_000 + at,
        }
        for at in range(COUNT if most > 1 else 60)
    ]
    client.publish(name, *sent, **settings)
    due = [(at, one["key"], one["value"], tuple(one["headers"]), one["timestamp"]) for at, one in enumerate(sent)]
    async with reading(kafka.bootstrap, name, {name: 1 << 20}) as (consumer, tp):
        assert seen(await taken(consumer, tp, len(sent), most)) == due
        middle = len(sent) // 2  # of a compressed batch all comes, also what lies before
        consumer.seek(tp, middle)
        assert seen(await taken(consumer, tp, len(sent) - middle, most)) == due[middle:]
        consumer.seek(tp, 3)
        one = await asyncio.wait_for(consumer.getone(tp), PATIENCE_S)
        assert seen([one]) == [due[3]]
        assert await consumer.position(tp) == 4


async def test_a_seek_between_two_messages_of_one_fetch_is_heeded(kafka: Running, topic: Callable[..., str]) -> None:
    client, name = Client(kafka.bootstrap), topic()
    client.make_topic(name, 1)
    client.publish(name, *({"value": b"%d" % at} for at in range(50)))
    async with reading(kafka.bootstrap, name, {}) as (consumer, tp):
        assert [it.value for it in await taken(consumer, tp, 10, 10)] == [b"%d" % at for at in range(10)]
        consumer.seek(tp, 30)
        assert [it.value for it in await taken(consumer, tp, 20, 20)] == [b"%d" % at for at in range(30, 50)]


async def test_what_was_aborted_is_passed_by(kafka: Running, topic: Callable[..., str]) -> None:
    client, name = Client(kafka.bootstrap), topic()
    client.make_topic(name, 1)
    for value, is_committed in ((b"a", True), (b"b", False), (b"c", False), (b"d", True)):
        client.publish_in_transaction(name, value, value.upper(), is_committed=is_committed)
    async with reading(kafka.bootstrap, name, {}) as (consumer, tp):
        assert [it.value for it in await taken(consumer, tp, 4, 3)] == [b"a", b"A", b"d", b"D"]
        async with asyncio.timeout(PATIENCE_S):
            while await consumer.position(tp) < client.ends(name)[0][1]:
                assert await consumer.getmany(timeout_ms=20) == {}


@pytest.mark.parametrize(("size", "runs"), [(60_000, [1] * 12), (100, [1, 11])])
async def test_large_messages_are_made_one_by_one_and_small_ones_together(
    kafka: Running, topic: Callable[..., str], monkeypatch: pytest.MonkeyPatch, size: int, runs: list[int]
) -> None:
    client, name = Client(kafka.bootstrap), topic()
    client.make_topic(name, 1)
    client.publish(name, *({"value": b"x" * size} for _ in range(12)), **{"linger.ms": 5_000})
    monkeypatch.setattr(bounded_consumer, "_USUAL_BYTES", 100_000)
    counts = list[int]()
    made = bounded_consumer._Run

    def counted(offset: int, messages: list[Message]) -> Any:
        counts.append(len(messages))
        return made(offset, messages)

    monkeypatch.setattr(bounded_consumer, "_Run", counted)
    async with reading(kafka.bootstrap, name, {}) as (consumer, tp):
        assert len(await taken(consumer, tp, 12, 12)) == 12
    assert counts == runs


async def test_after_a_long_time_without_a_poll_it_joins_the_group_for_who_stays(
    kafka: Running, topic: Callable[..., str]
) -> None:
    client, name = Client(kafka.bootstrap), topic()
    client.make_topic(name, 1)
    idle_s, joined = 0.4, asyncio.Event()
    consumer = BoundedConsumer(
        limits={},
        bootstrap_servers=kafka.bootstrap,
        group_id=f"{name}.stays",
        auto_offset_reset="none",
        enable_auto_commit=False,
        max_poll_interval_ms=int(idle_s * 1000),
    )
    consumer.subscribe([name], listener=_Listener(joined))
    await consumer.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await joined.wait()
            while consumer._subscription.fetcher_idle_time < idle_s:
                await asyncio.sleep(idle_s / 4)
            joined.clear()
            consumer._coordinator.request_rejoin()  # as when its session has expired, by an outage
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(joined.wait(), 4 * idle_s)
            while not joined.is_set():
                consumer.stay()
                await asyncio.sleep(0.02)
        assert consumer.assignment() == {TopicPartition(name, 0)}
    finally:
        await consumer.stop()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, joined: asyncio.Event) -> None:
        self._joined = joined

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing is done here."""

    def on_partitions_assigned(self, assigned: Any) -> None:
        self._joined.set()
