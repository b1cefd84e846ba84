"""Batches of a fetch, whole and damaged: made by aiokafka's builder, and lying on the real Kafka's disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from headrace.streams import checked
from headrace.streams.bounded_consumer import BoundedConsumer
from headrace.streams.broker import Running
from headrace.streams.checked import CheckedRecords
from tests.support.client import PATIENCE_S, Client

CODECS = (0, 1, 4)  # none, gzip, zstd
CHECKED_FROM = 21  # bytes of a batch that come before what its checksum is of

values = st.lists(st.binary(max_size=60), min_size=1, max_size=5)


def batch(records: list[bytes], codec: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for at, value in enumerate(records):
        builder.append(at, 1_000 + at, None, value, [("name", b"x")])
    return bytes(builder.build())


def legacy(records: list[bytes]) -> bytes:
    builder = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    for at, value in enumerate(records):
        builder.append(at, 1_000 + at, None, value)
    return bytes(builder.build())


def read(records: Any) -> list[list[tuple[int, bytes | None]]]:
    found = []
    while records.has_next():
        found.append([(one.offset, one.value) for one in records.next_batch()])
    return found


@given(st.lists(st.tuples(values, st.sampled_from(CODECS)), max_size=4), st.integers(0, 200))
def test_whole_batches_are_read_as_aiokafka_reads_them_and_one_that_is_cut_off_is_left(
    batches: list[tuple[list[bytes], int]], missing: int
) -> None:
    data = b"".join(batch(*one) for one in batches)
    data = data[: max(0, len(data) - missing)]
    ours = CheckedRecords(data)
    assert ours.size_in_bytes() == len(data)
    assert read(ours) == read(MemoryRecords(data))
    assert ours.next_batch() is None


@given(values, st.data())
def test_a_batch_of_which_a_bit_is_wrong_is_refused_and_those_before_it_are_not(
    records: list[bytes], data: st.DataObject
) -> None:
    first, second = batch([b"before"]), bytearray(batch(records))
    at = data.draw(st.integers(CHECKED_FROM, len(second) - 1))
    second[at] ^= 1 << data.draw(st.integers(0, 7))
    ours = CheckedRecords(first + bytes(second))
    assert [one.value for one in ours.next_batch()] == [b"before"]
    with pytest.raises(CorruptRecordException, match="the batch at offset 0"):
        ours.next_batch()


def test_messages_of_the_format_before_are_checked_as_aiokafka_does() -> None:
    data = legacy([b"a", b"b"])
    assert read(CheckedRecords(data)) == [[(0, b"a")], [(1, b"b")]]
    with pytest.raises(CorruptRecordException):
        read(CheckedRecords(data[:-1] + b"!"))


def test_the_processors_instruction_is_used_here() -> None:
    assert checked._checksum is google_crc32c.value


@pytest.mark.broker
async def test_a_message_that_has_changed_on_the_brokers_disk_is_not_given(
    kafka: Running, topic: Callable[..., str]
) -> None:
    client, name = Client(kafka.bootstrap), topic()
    client.make_topic(name, 1)
    client.publish(name, {"value": b"what was written"})
    log = data_of(kafka) / f"{name}-0" / f"{0:020}.log"
    damaged = log.read_bytes().replace(b"what was", b"what is!")
    with log.open("r+b") as file:  # in place: Kafka has it open
        file.write(damaged)
    tp = TopicPartition(name, 0)
    consumer = BoundedConsumer(limits={}, bootstrap_servers=kafka.bootstrap, auto_offset_reset="none")
    await consumer.start()
    try:
        consumer.assign([tp])
        consumer.seek(tp, 0)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(CorruptRecordException, match=f"{name}:0: the batch at offset 0"):
                await something(consumer)
    finally:
        await consumer.stop()


async def something(consumer: BoundedConsumer) -> None:
    while not await consumer.getmany(timeout_ms=200):
        pass


def data_of(kafka: Running) -> Path:
    """Return where a Kafka keeps its partitions; its settings are the last word of its command."""
    settings = Path(f"/proc/{kafka.pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")[-1].decode()
    lines = dict(line.partition("=")[::2] for line in Path(settings).read_text().splitlines())
    return Path(lines["log.dirs"])
