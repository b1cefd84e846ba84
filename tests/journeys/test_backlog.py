"""A backlog of large records before a slow step: memory stays bounded, and the worker stays in its group."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.support.client import until
from tests.support.pipeline import Pipeline

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

COUNT = 240
LARGE = 1_000_000
AHEAD = 1 << 20
"""What aiokafka fetches ahead of each partition."""

MOST_GROWTH = 156 << 20
"""Of 8 MiB batches two in flight and one that is read: as bytes, as decoded values, as texts and as results. The
backlog is 240 MB, and 500 MB once it is decoded."""


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process ever had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("partitions", [4, 48])
def test_memory_does_not_grow_with_the_backlog_and_a_slow_step_loses_no_partition(
    pipeline: Pipeline, partitions: int
) -> None:
    # By the count of its records a batch could wait until it holds 64 MB, or get as much at once of 48 partitions.
    pipeline.write(preprocess=[{"slow": {"ms": 30}}], topics={"partitions": partitions}, batch={"max_wait": "1s"})
    worker = pipeline.run()
    pipeline.publish("warm")
    pipeline.outputs(1)
    begun = peak_bytes(worker.process.pid)
    worker.terminate()
    for at in range(0, COUNT, 40):
        values = [json.dumps({"text": str(at + one), "blob": os.urandom(LARGE // 2 - 50).hex()}) for one in range(40)]
        places = [(at + one) % partitions for one in range(40)]
        sent = zip(values, places, strict=True)
        pipeline.client.publish(pipeline.input, *({"value": value, "partition": place} for value, place in sent))
    worker = pipeline.run()
    until("the end of the backlog", lambda: not any(pipeline.lags().values()), patience_s=120)
    grown = peak_bytes(worker.process.pid) - begun
    assert grown < MOST_GROWTH + partitions * AHEAD, f"{grown >> 20} MiB more than without a backlog"
    assert sum("partitions assigned" in line for line in worker.lines) == 1, "it never left its group"
    assert len(pipeline.client.all(pipeline.output)) == COUNT + 1


def test_no_more_records_are_read_than_the_rate_of_the_file(pipeline: Pipeline) -> None:
    pipeline.write(delivery={"rate": 20})
    pipeline.client.make_topic(pipeline.input)
    pipeline.publish(*(str(number) for number in range(100)))
    pipeline.run()
    times = [seen.timestamp_ms for seen in pipeline.outputs(100)]
    assert max(times) - min(times) >= 4_000
