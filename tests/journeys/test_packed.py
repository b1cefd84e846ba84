"""Compressed batches of the input that unpack to more than anyone should hold, from whoever may publish."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiokafka import AIOKafkaProducer

from tests.journeys.test_backlog import peak_bytes
from tests.support.pipeline import Pipeline

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

BOMB_BYTES = 240 << 20
MOST_GROWTH = 140 << 20
"""The 64 MiB to which a batch may unpack, twice, and what a worker takes for itself; before it was twice the bomb."""


def publish_packed(pipeline: Pipeline, codec: str, *values: bytes) -> None:
    """Publish values in one batch, compressed."""

    async def send() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=pipeline.client.bootstrap,
            compression_type=codec,
            max_request_size=2 * BOMB_BYTES,
            max_batch_size=2 * BOMB_BYTES,
        )
        await producer.start()
        try:
            batch = producer.create_batch()
            for value in values:
                assert batch.append(key=b"k", value=value, timestamp=None) is not None
            await (await producer.send_batch(batch, pipeline.input, partition=0))
        finally:
            await producer.stop()

    asyncio.run(send())


@pytest.mark.provokes("HR519")
@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_one_dead_letter_stands_for_a_batch_that_unpacks_to_too_much_and_what_is_around_it_is_delivered(
    pipeline: Pipeline, codec: str
) -> None:
    worker = pipeline.run()
    pipeline.publish("before")
    pipeline.outputs(1)
    begun = peak_bytes(worker.process.pid)
    publish_packed(pipeline, codec, b"x", b"0" * BOMB_BYTES, b"y")
    pipeline.publish("after")
    results, letters = pipeline.ended(90)
    grown = peak_bytes(worker.process.pid) - begun
    assert grown < MOST_GROWTH, f"{grown >> 20} MiB more than before the batch"
    assert [one.body["id"] for one in results] == [f"{pipeline.input}:0:0", f"{pipeline.input}:0:4"]
    (letter,) = letters
    assert (letter.header("headrace.code"), letter.header("__streams.errors.offset")) == ("HR519", "1")
    assert "offsets 1 to 3" in letter.header("__streams.errors.message")
    assert letter.header("headrace.original_missing") == "not unpacked"
    assert worker.warnings == []
    assert worker.process.poll() is None


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_batches_within_the_limit_are_read_whole_whatever_compressed_them(pipeline: Pipeline, codec: str) -> None:
    pipeline.write(input={"topic": pipeline.input, "text": "text", "max_batch_bytes": "2MiB"})
    values = [json.dumps({"text": str(number), "blob": "0" * 900_000}).encode() for number in range(5)]
    pipeline.client.make_topic(pipeline.input)
    publish_packed(pipeline, codec, *values[:2])
    publish_packed(pipeline, codec, *values[2:])
    publish_packed(pipeline, codec, *values[:2])
    pipeline.run()
    results, letters = pipeline.ended()
    assert [one.body["source"]["offset"] for one in results] == [0, 1, 5, 6]
    assert [letter.header("__streams.errors.offset") for letter in letters] == ["2"], "three of them are too much"


def test_a_worker_that_stops_at_such_a_batch_goes_on_behind_it_when_told_to_skip(pipeline: Pipeline) -> None:
    pipeline.write(
        input={"topic": pipeline.input, "text": "text", "max_batch_bytes": "1MiB"}, delivery={"on_failure": "stop"}
    )
    pipeline.client.make_topic(pipeline.input)
    pipeline.publish("before")
    publish_packed(pipeline, "zstd", *[b"0" * 600_000] * 2)
    pipeline.publish("after")
    worker = pipeline.start()
    assert worker.end(40) != 0
    assert "HR519" in worker.lines[-1]
    pipeline.headrace("skip", str(pipeline.file), "--stage", "ingress", "--partition", "0")
    pipeline.run()
    results, letters = pipeline.ended()
    assert [one.body["source"]["offset"] for one in results] == [0, 3]
    assert [(one.header("headrace.code"), one.header("__streams.errors.offset")) for one in letters] == [("HR523", "1")]
