"""Messages on their way into a producer's batches on the real Kafka: where each goes, in which order, and refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerClosed, ProducerFenced, RequestTimedOutError
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.record import Outgoing, Position
from headrace.core.wire.errors import ResultRefusedError
from headrace.streams.broker import Running
from headrace.streams.dead_letter import DeadLetters
from headrace.streams.outbox import Outbox, _hash, _remembered
from headrace.streams.outcome import Outcome
from headrace.streams.sender import Sender
from headrace.streams.slot import Slot
from tests.support.client import Client, Seen, until
from tests.support.made import message
from tests.support.planned import compiled

BATCH_BYTES = 4_000
LIMIT_BYTES = 2_000


@given(st.binary(max_size=40), st.integers(1, 40))
def test_a_key_goes_where_kafkas_own_clients_send_it(key: bytes, partitions: int) -> None:
    numbers = [*range(partitions)]
    assert _hash(key) % partitions == DefaultPartitioner()(key, numbers, numbers)


def test_long_keys_are_not_remembered() -> None:
    before, long = _remembered.cache_info().currsize, b"k" * 900_000
    assert _hash(long) == _hash(bytes(long))
    assert _remembered.cache_info().currsize == before


@pytest.fixture
async def producer(kafka: Running) -> AsyncIterator[AIOKafkaProducer]:
    made = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", max_batch_size=BATCH_BYTES)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def client(kafka: Running) -> Client:
    return Client(kafka.bootstrap)


async def arrived(client: Client, topic: str, count: int) -> list[Seen]:
    await asyncio.to_thread(until, "messages", lambda: len(client.all(topic)) >= count)
    return await asyncio.to_thread(client.all, topic)


@pytest.mark.broker
async def test_a_partition_gets_its_messages_in_order_however_many_batches_they_fill(
    producer: AIOKafkaProducer, client: Client, topic: Callable[..., str]
) -> None:
    name = topic()
    client.make_topic(name, 2)
    outbox = Outbox(producer)
    sent = [await outbox.put(Outgoing(name, b"k%d" % (at % 5), b"%d" % at + b" " * 90)) for at in range(500)]
    assert 12 < len(set(sent)) < 500
    await asyncio.gather(*set(sent))
    seen = await arrived(client, name, 500)
    assert sorted(int(one.value or b"") for one in seen) == [*range(500)]
    for key in {one.key for one in seen}:
        numbers = [int(one.value or b"") for one in seen if one.key == key]
        assert numbers == sorted(numbers)


@pytest.mark.broker
async def test_what_a_batch_has_room_for_is_added_at_once_and_the_rest_is_left(
    producer: AIOKafkaProducer, client: Client, topic: Callable[..., str]
) -> None:
    name = topic()
    client.make_topic(name, 2)
    outbox = Outbox(producer)

    def numbered(at: int) -> Outgoing:
        return Outgoing(name, b"k", b"%d" % at, (("a", b"1"),), timestamp_ms=17 + at)

    assert outbox.add([numbered(0)]) == []  # nobody knows the topic yet
    first = await outbox.put(numbered(0))
    for left in (Outgoing(name, None, b"anywhere"), Outgoing(name, b"k", b"", partition=2)):
        assert outbox.add([left, numbered(1)]) == []
    assert outbox.add([numbered(0), numbered(1), Outgoing(name, b"k", b" " * BATCH_BYTES), numbered(2)], 1) == [first]
    assert outbox.add([numbered(2)]) == []  # what has no room closes the batch
    second = await outbox.put(numbered(2))
    assert second is not first
    await asyncio.gather(first, second)
    assert outbox.add([numbered(3)]) == []  # its batch has gone
    seen = await arrived(client, name, 3)
    assert [(one.value, one.headers, one.timestamp_ms) for one in seen] == [
        (b"%d" % at, (("a", b"1"),), 17 + at) for at in range(3)
    ]


@pytest.mark.broker
async def test_a_message_without_anything_has_headers_and_a_time_all_the_same(
    producer: AIOKafkaProducer, client: Client, topic: Callable[..., str]
) -> None:
    name = topic()
    client.make_topic(name, 3)
    await (await Outbox(producer).put(Outgoing(name, None, None, (("a", b"1"),), partition=2, timestamp_ms=17)))
    (seen,) = await arrived(client, name, 1)
    assert seen == Seen(name, 2, 0, None, None, (("a", b"1"),), 17)


@pytest.mark.broker
async def test_a_partition_is_refused_until_the_topic_has_it(
    producer: AIOKafkaProducer, client: Client, topic: Callable[..., str]
) -> None:
    name = topic()
    client.make_topic(name, 1)
    outbox = Outbox(producer)
    await (await outbox.put(Outgoing(name, None, b"a", partition=0)))
    with pytest.raises(ResultRefusedError, match="has no partition 1"):
        await outbox.put(Outgoing(name, None, b"b", partition=1))
    await asyncio.to_thread(client.grow_topic, name, 2)
    await (await outbox.put(Outgoing(name, None, b"b", partition=1)))
    assert [one.partition for one in await arrived(client, name, 2)] == [0, 1]


@pytest.mark.broker
async def test_a_closed_producer_takes_nothing(kafka: Running, client: Client, topic: Callable[..., str]) -> None:
    name = topic()
    client.make_topic(name, 1)
    made = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await made.start()
    outbox = Outbox(made)
    await (await outbox.put(Outgoing(name, None, b"a")))
    await made.stop()
    with pytest.raises(ProducerClosed):
        await outbox.put(Outgoing(name, None, b"b"))


@pytest.mark.broker
async def test_nothing_overtakes_a_batch_that_failed(
    producer: AIOKafkaProducer, client: Client, topic: Callable[..., str]
) -> None:
    name = topic()
    client.make_topic(name, 2)
    outbox, batches = Outbox(producer), producer._message_accumulator
    await (await outbox.put(Outgoing(name, None, b"before", partition=0)))
    producer._sender._muted_partitions.add(TopicPartition(name, 0))  # as when one of its batches is on its way
    on_its_way = await outbox.put(Outgoing(name, None, b"first", partition=0))
    given_up = batches._batches[TopicPartition(name, 0)].popleft()
    behind = await outbox.put(Outgoing(name, None, b"behind" + b" " * 2_900, partition=0))
    crowded_out = asyncio.create_task(outbox.put(Outgoing(name, None, b"no room" + b" " * 2_900, partition=0)))
    await asyncio.sleep(0)
    given_up.drain_ready()
    given_up.failure(exception=RequestTimedOutError())  # after 40 s without an answer
    producer._sender._muted_partitions.clear()
    sent = (on_its_way, behind, crowded_out)
    ends = await asyncio.wait_for(asyncio.gather(*sent, return_exceptions=True), 10)
    assert [type(end) for end in ends] == [RequestTimedOutError] * 3
    with pytest.raises(RequestTimedOutError):
        await outbox.put(Outgoing(name, None, b"late", partition=0))
    with pytest.raises(RequestTimedOutError):
        await outbox.put_alone(Outgoing(name, None, b"late", partition=0))
    await (await outbox.put(Outgoing(name, None, b"elsewhere", partition=1)))
    outbox.renew()
    await (await outbox.put(Outgoing(name, None, b"again", partition=0)))
    seen = await arrived(client, name, 3)
    assert [one.value for one in seen if one.partition == 0] == [b"before", b"again"]


@pytest.mark.broker
async def test_a_producer_that_is_at_an_end_fails_all_that_wait_in_it(
    producer: AIOKafkaProducer, client: Client, topic: Callable[..., str]
) -> None:
    name = topic()
    client.make_topic(name, 2)
    outbox = Outbox(producer)
    producer._sender._muted_partitions |= {TopicPartition(name, number) for number in range(2)}
    sent = [await outbox.put(Outgoing(name, None, b"%d" % at, partition=at % 2)) for at in range(4)]
    producer._message_accumulator.fail_all(ProducerFenced())
    ends = await asyncio.wait_for(asyncio.gather(*set(sent), return_exceptions=True), 10)
    assert [type(end) for end in ends] == [ProducerFenced] * 2


async def _gone(position: Position) -> None:
    return None


@pytest.mark.broker
async def test_what_a_topic_refuses_becomes_a_dead_letter_and_its_neighbours_in_the_batch_arrive(
    producer: AIOKafkaProducer, client: Client, topic: Callable[..., str], tmp_path: Path
) -> None:
    name = topic()
    out, dead = f"{name}.out", f"{name}.dead"
    client.make_topic(name)
    client.make_topic(out, max_message_bytes=str(LIMIT_BYTES))
    client.make_topic(dead)
    plan = compiled(tmp_path, pipeline=name, input={"topic": name, "text": "text"}, output=[{"topic": {"name": out}}])
    sender = Sender(producer, producer, DeadLetters(plan, "ingress", _gone))
    values = [b"a", b"b" * (LIMIT_BYTES + 1), b"c"]
    slots = [Slot(message(position=Position(name, 0, at))) for at in range(3)]
    for slot, value in zip(slots, values, strict=True):
        slot.outgoing = [(out, Outgoing(out, b"k", value))]
    pending = await sender.hand_over(Outcome(slots, []))
    assert len({one.acknowledgement for one in pending}) == 1
    await sender.acknowledged(pending)
    assert [one.value for one in await arrived(client, out, 2)] == [b"a", b"c"]
    (letter,) = await arrived(client, dead, 1)
    assert letter.header("__streams.errors.offset") == "1"
    assert letter.header("headrace.code") == "HR509"
