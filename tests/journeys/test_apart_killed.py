"""SIGKILL of a group's worker in the middle of a batch, then the same worker again: nothing is lost on any link.

It would prove nothing if a kill struck an idle worker, or one that had done nothing since the last kill: each comes
some batches after the first, and asserts that one was in flight and that there was lag. Nor if all struck at the same
moment of a batch: the figures change when one ends, so chance waits a part of one more.
"""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from tests.support.client import until
from tests.support.pipeline import Pipeline
from tests.support.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

KILLS = 10
RECORDS = 5_000
BATCH = 64
SLOW_MS = 4.0
APART = {"front": {"stages": ["ingress"]}, "echo": {"models": ["echo"]}}
STAGES = {"front": "ingress", "echo": "echo", "main": "egress"}


def sections(slow_group: str) -> dict[str, Any]:
    """A file in which the worker that is to be killed is the slow one, so that it always lags."""
    slow = [{"slow": {"ms": SLOW_MS}}]
    return {
        "groups": APART,
        "topics": {"partitions": 4},
        "models": {"echo": {"echo": {"ms": SLOW_MS if slow_group == "echo" else 0}}},
        "preprocess": slow if slow_group == "front" else None,
        "postprocess": slow if slow_group == "main" else None,
    }


def kill_under_load(pipeline: Pipeline, worker: Worker, stage: str) -> None:
    """Let the worker run some batches, then kill it with a batch in flight and more to come."""

    def in_flight() -> float:
        return worker.figure("headrace_in_flight_records", stage=stage)

    until("a first batch in flight", in_flight)
    time.sleep(random.uniform(2, 4) * BATCH * SLOW_MS / 1000)
    until("a batch in flight", in_flight)
    worker.kill()
    topic = pipeline.input if stage == "ingress" else pipeline.link(stage)
    assert pipeline.client.lag(f"{pipeline.name}.{stage}", topic) > 0
    assert worker.process.returncode == -9


@pytest.mark.parametrize("group", ["front", "echo", "main"])
def test_ten_kills_of_each_group_under_load_lose_nothing(pipeline: Pipeline, group: str) -> None:
    pipeline.write(**sections(group))
    workers = pipeline.run_groups(*(one for one in STAGES if one != group))
    messages = ({"value": json.dumps({"text": str(at)}), "key": f"user{at % 7}".encode()} for at in range(RECORDS))
    published = pipeline.client.publish(pipeline.input, *messages)
    for _ in range(KILLS):
        kill_under_load(pipeline, pipeline.start("--group", group, "--worker", "w1"), STAGES[group])
    workers |= pipeline.run_groups(group)
    results, dead = pipeline.ended()
    assert dead == []
    assert set(published) == {seen.body["id"] for seen in results}
    ids = {(seen.body["id"], seen.header("ce_id")) for seen in results}
    assert len(ids) == len(published), "a copy has the same ce_id"
    assert len(results) - len(published) <= KILLS * 2 * BATCH, "at most what was in flight comes twice"
    for key in {seen.key for seen in results}:
        first_copies = list(dict.fromkeys(seen.body["source"]["offset"] for seen in results if seen.key == key))
        assert first_copies == sorted(first_copies)
    assert [worker.terminate() for worker in workers.values()] == [0, 0, 0]
