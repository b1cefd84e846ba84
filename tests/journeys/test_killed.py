"""SIGKILL in the middle of a batch, then `run` again: nothing is lost.

It would prove nothing if a kill struck an idle worker: each asserts that a batch was in flight and that there was lag.
Nor if all struck at the same moment of a batch: the figures change when one ends, so chance waits a part of one more.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence

import pytest

from tests.support.client import Seen, until
from tests.support.pipeline import Pipeline
from tests.support.worker import Worker

pytestmark = pytest.mark.broker

KILLS = 10
BATCH_S = 0.13  # 64 records of 2 ms
USERS = 7


def publish(pipeline: Pipeline, count: int) -> list[str]:
    messages = ({"value": json.dumps({"text": str(at)}), "key": f"user{at % USERS}".encode()} for at in range(count))
    return pipeline.client.publish(pipeline.input, *messages)


def kill_under_load(pipeline: Pipeline, worker: Worker) -> None:
    """Let the worker deliver a little, then kill it with a batch in flight and more to come."""
    until("some results", lambda: worker.figure("headrace_records_total") > 100)
    until("a batch in flight", lambda: worker.figure("headrace_in_flight_records"))
    time.sleep(random.uniform(0, BATCH_S))
    worker.kill()
    assert pipeline.client.lag(pipeline.group, pipeline.input) > 0
    assert worker.process.returncode == -9


def assert_nothing_is_lost(published: Sequence[str], results: Sequence[Seen], dead: Sequence[Seen]) -> None:
    assert dead == []
    assert set(published) == {seen.body["id"] for seen in results}
    by_id = {seen.body["id"]: seen.header("ce_id") for seen in results}
    assert {(seen.body["id"], seen.header("ce_id")) for seen in results} == set(by_id.items()), (
        "a copy has the same ce_id"
    )


def assert_first_copies_are_in_order(results: Sequence[Seen]) -> None:
    for key in {seen.key for seen in results}:
        numbers = [int(seen.body["output"]["text"]) for seen in results if seen.key == key]
        first_copies = list(dict.fromkeys(numbers))
        assert first_copies == sorted(first_copies)


def test_ten_kills_under_load_lose_nothing(pipeline: Pipeline) -> None:
    pipeline.write(preprocess=[{"slow": {"ms": 2}}], topics={"partitions": 4})
    worker = pipeline.run("--worker", "w1")
    published = publish(pipeline, 5_000)
    for _ in range(KILLS):
        kill_under_load(pipeline, worker)
        worker = pipeline.run("--worker", "w1")
    results, dead = pipeline.ended()
    assert_nothing_is_lost(published, results, dead)
    assert_first_copies_are_in_order(results)
    assert len(results) - len(published) <= KILLS * 2 * 64, "at most what was in flight comes twice"
    assert worker.terminate() == 0


def test_a_worker_without_a_name_is_replaced_as_well(pipeline: Pipeline) -> None:
    pipeline.write(preprocess=[{"slow": {"ms": 2}}])
    worker = pipeline.run()
    published = publish(pipeline, 2_000)
    kill_under_load(pipeline, worker)
    pipeline.run()
    results, dead = pipeline.ended()
    assert_nothing_is_lost(published, results, dead)
