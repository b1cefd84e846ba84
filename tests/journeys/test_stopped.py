"""SIGTERM under load, and workers that come and go: each record is delivered once, in the order of its key."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from itertools import chain

import pytest

from tests.support.client import Seen, until
from tests.support.load import Load
from tests.support.pipeline import Pipeline
from tests.support.worker import Worker

pytestmark = pytest.mark.broker

SOON_S = 15.0  # half of what the group would wait for it; it takes about one
PARTITIONS = 4


def is_under_load(worker: Worker) -> bool:
    return worker.figure("headrace_in_flight_records") > 0 and worker.figure("headrace_records_total") > 64


def stop_under_load(pipeline: Pipeline, worker: Worker) -> None:
    until("lag", lambda: pipeline.client.lag(pipeline.group, pipeline.input))
    until("a batch in flight", lambda: is_under_load(worker))
    begun = time.monotonic()
    assert worker.terminate() == 0
    assert time.monotonic() - begun < SOON_S
    assert "every batch in flight was delivered and committed" in worker.lines[-1]


def assert_each_once_in_order(published: Sequence[str], results: Sequence[Seen]) -> None:
    assert sorted(seen.body["id"] for seen in results) == sorted(published)
    for key in {seen.key for seen in results}:
        numbers = [int(seen.body["output"]["text"]) for seen in results if seen.key == key]
        assert numbers == sorted(numbers)


def test_a_worker_stopped_in_the_middle_and_started_again_delivers_each_record_once(pipeline: Pipeline) -> None:
    pipeline.write(preprocess=[{"slow": {"ms": 3}}])
    pipeline.client.make_topic(pipeline.input)
    with Load(pipeline) as load:
        stop_under_load(pipeline, pipeline.run())
    early = pipeline.client.all(pipeline.output)
    committed = pipeline.client.committed(pipeline.group, pipeline.input)
    assert committed == {0: len(early)}, "what was delivered is what was committed"
    assert 64 <= len(early) < len(load.published)
    pipeline.run()
    results, dead = pipeline.ended()
    assert dead == []
    assert_each_once_in_order(load.published, results)


def partitions_of(worker: Worker) -> list[int]:
    """The partitions of the last assignment, as the worker's log has them."""
    found = re.findall(r"partitions assigned: \[([\d, ]*)\]", "\n".join(worker.lines))
    return [int(number) for number in found[-1].split(",") if number.strip()] if found else []


def await_fair_share(*workers: Worker) -> None:
    until("a fair share", lambda: sorted(chain(*map(partitions_of, workers))) == list(range(PARTITIONS)))
    assert {len(partitions_of(worker)) for worker in workers} == {PARTITIONS // len(workers)}
    until("load on all", lambda: all(map(is_under_load, workers)))


def test_workers_share_a_topic_and_one_that_stops_or_dies_is_replaced(pipeline: Pipeline) -> None:
    pipeline.write(preprocess=[{"slow": {"ms": 3}}], topics={"partitions": PARTITIONS})
    first = pipeline.run()
    with Load(pipeline) as load:
        await_fair_share(first)
        second = pipeline.run()
        await_fair_share(first, second)
        stop_under_load(pipeline, first)
        await_fair_share(second)
    results, dead = pipeline.ended()
    assert dead == []
    assert_each_once_in_order(load.published, results)

    with Load(pipeline) as more:
        third = pipeline.run()
        await_fair_share(second, third)
        second.kill()
        await_fair_share(third)
    copies, dead = pipeline.ended()
    assert dead == []
    assert {seen.body["id"] for seen in copies} == {*load.published, *more.published}
    assert len(copies) - len(load.published) - len(more.published) <= 2 * 64
