"""exactly_once under kills, stops and a zombie, for a stranger that reads committed: nothing is lost, nothing doubled.

It would prove nothing if the faults struck between two transactions. So commits are rare, each fault strikes inside a
transaction, with a batch in flight and under lag, and asserts that it did; and in the end a reader of everything, also
of what was aborted, must have seen copies.
"""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.support.client import until
from tests.support.load import Load
from tests.support.pipeline import Pipeline
from tests.support.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

RECORDS = 5_000
BATCH = 64
PARTITIONS = 4
ZOMBIE_S = 15.0
TIMEOUT_S = 35.0  # the transaction's ten seconds, and ten more until the broker looks; aiokafka's would be 60
EXACTLY_ONCE = {"guarantee": "exactly_once", "commit_every": "3s"}
APART = {"front": {"stages": ["ingress"]}, "echo": {"models": ["echo"]}}
STAGES = {"front": "ingress", "echo": "echo", "main": "egress"}


def publish(pipeline: Pipeline, count: int = RECORDS) -> list[str]:
    messages = ({"value": json.dumps({"text": str(at)}), "key": f"user{at % 7}".encode()} for at in range(count))
    return pipeline.client.publish(pipeline.input, *messages)


def write(pipeline: Pipeline, **sections: Any) -> None:
    pipeline.write(**{"delivery": EXACTLY_ONCE, "topics": {"partitions": PARTITIONS}, **sections})


def strike(
    pipeline: Pipeline, worker: Worker, how: Callable[[Worker], object], *, stage: str = "ingress", to: str = ""
) -> None:
    """Let a worker begin a transaction with what it writes to, then do it to it with a batch in flight and lag."""

    def in_flight() -> float:
        return worker.figure("headrace_in_flight_records", stage=stage)

    until("a first batch in flight", in_flight)
    time.sleep(random.uniform(0, 0.5))
    until("an open transaction", lambda: not pipeline.client.is_settled(to or pipeline.output))
    until("a batch in flight", in_flight)
    how(worker)
    topic = pipeline.input if stage == "ingress" else pipeline.link(stage)
    assert pipeline.client.lag(f"{pipeline.name}.{stage}", topic) > 0


def put_to_sleep(pipeline: Pipeline, worker: Worker) -> None:
    """Stop the only worker inside a transaction: one that is open while it sleeps is its own, and no commit is near."""
    strike(pipeline, worker, lambda it: it.process.send_signal(signal.SIGSTOP))
    while pipeline.client.is_settled(pipeline.output):  # it has committed between the look and the stop
        worker.process.send_signal(signal.SIGCONT)
        strike(pipeline, worker, lambda it: it.process.send_signal(signal.SIGSTOP))


def assert_each_once(pipeline: Pipeline, published: Sequence[str]) -> None:
    results, dead = pipeline.ended(60)
    assert dead == []
    counts = Counter(seen.body["id"] for seen in results)
    assert {id: count for id, count in counts.items() if count > 1} == {}, "doubled"
    assert set(published) == set(counts), "lost, or never published"
    assert len({seen.header("ce_id") for seen in results}) == len(published)
    for key in {seen.key for seen in results}:
        numbers = [int(seen.body["output"]["text"]) for seen in results if seen.key == key]
        assert numbers == sorted(numbers)


def aborted(pipeline: Pipeline) -> int:
    """How many copies of results only readers of what is not committed see; with the same ce_id as the real ones."""
    copies, ids = _copies(pipeline)
    assert ids == len(pipeline.client.all(pipeline.output))
    return copies


def _copies(pipeline: Pipeline) -> tuple[int, int]:
    """How many results there are more than ids, be they committed or not; and how many ids."""
    everything = pipeline.client.all(pipeline.output, **{"isolation.level": "read_uncommitted"})
    ids = {seen.header("ce_id") for seen in everything}
    return len(everything) - len(ids), len(ids)


def test_kills_of_one_process_under_load_lose_and_double_nothing(pipeline: Pipeline) -> None:
    write(pipeline, preprocess=[{"slow": {"ms": 2}}])
    worker = pipeline.run("--worker", "w1")
    published = publish(pipeline)
    for _ in range(5):
        strike(pipeline, worker, Worker.kill)
        worker = pipeline.run("--worker", "w1")
    assert_each_once(pipeline, published)
    assert aborted(pipeline) > 0
    assert worker.terminate() == 0


def test_kills_of_every_process_of_a_pipeline_in_parts_lose_and_double_nothing(pipeline: Pipeline) -> None:
    write(
        pipeline,
        groups=APART,
        preprocess=[{"slow": {"ms": 1}}],
        models={"echo": {"echo": {"ms": 2}}},
        postprocess=[{"slow": {"ms": 3}}],
    )
    workers = pipeline.run_groups(*STAGES)
    published = publish(pipeline)
    for group in ("front", "echo", "main", "echo", "main"):
        to = {"front": pipeline.link("echo"), "echo": pipeline.link("egress"), "main": pipeline.output}[group]
        strike(pipeline, workers[group], Worker.kill, stage=STAGES[group], to=to)
        workers[group] = pipeline.start("--group", group, "--worker", "w1")
    while not _copies(pipeline)[0]:  # each kill may have come just behind a commit; there is lag, or the strike fails
        strike(pipeline, workers["main"], Worker.kill, stage="egress", to=pipeline.output)
        workers["main"] = pipeline.start("--group", "main", "--worker", "w1")
    assert_each_once(pipeline, published)
    assert aborted(pipeline) > 0
    until("the purge of the links", lambda: _is_purged(pipeline))
    stages = json.loads(pipeline.headrace("status", str(pipeline.file), "--json"))["stages"]
    assert {stage["stage"]: stage["lag"] for stage in stages} == dict.fromkeys(STAGES.values(), 0)
    for group, worker in workers.items():
        until(f"no lag in the figures of {group}", lambda worker=worker: worker.figure("headrace_lag_records") == 0)  # type: ignore[misc]
    assert [worker.ready().terminate() for worker in workers.values()] == [0, 0, 0]


def _is_purged(pipeline: Pipeline) -> bool:
    return all(first == end for stage in pipeline.links() for first, end in _spans(pipeline, stage))


def _spans(pipeline: Pipeline, stage: str) -> Sequence[tuple[int, int]]:
    return list(pipeline.client.ends(pipeline.link(stage)).values())


def test_workers_that_are_stopped_by_turns_lose_and_double_nothing(pipeline: Pipeline) -> None:
    write(pipeline, preprocess=[{"slow": {"ms": 4}}])
    first, second = pipeline.run("--worker", "w1"), pipeline.run("--worker", "w2")
    with Load(pipeline) as load:
        for _ in range(2):
            strike(pipeline, first, Worker.terminate)
            assert first.process.returncode == 0
            first = pipeline.run("--worker", "w1")
            strike(pipeline, second, Worker.terminate)
            assert second.process.returncode == 0
            second = pipeline.run("--worker", "w2")
    assert_each_once(pipeline, load.published)
    assert [first.terminate(), second.terminate()] == [0, 0]


def test_a_worker_that_slept_through_losing_its_partitions_doubles_nothing(pipeline: Pipeline) -> None:
    write(pipeline, preprocess=[{"slow": {"ms": 4}}])
    zombie = pipeline.run("--worker", "w1")
    with Load(pipeline) as load:
        put_to_sleep(pipeline, zombie)
        before = pipeline.client.committed(pipeline.group, pipeline.input)
        asleep = time.monotonic()
        other = pipeline.run("--worker", "w2")
        until("the other one to take over", lambda: _is_all_moved(pipeline, before))
        time.sleep(max(0.0, ZOMBIE_S - (time.monotonic() - asleep)))
        zombie.process.send_signal(signal.SIGCONT)
        until("its return", lambda: zombie.figure("headrace_in_flight_records"))
    assert_each_once(pipeline, load.published)
    assert aborted(pipeline) > 0
    assert [zombie.terminate(), other.terminate()] == [0, 0]


def test_what_a_killed_worker_left_open_keeps_readers_waiting_no_longer_than_its_timeout(pipeline: Pipeline) -> None:
    """Trap 4: aiokafka's own timeout is a minute, and whoever reads committed waits for all of it."""
    write(pipeline, preprocess=[{"slow": {"ms": 4}}], topics={"partitions": 1})
    worker = pipeline.run()
    publish(pipeline, 1_000)
    put_to_sleep(pipeline, worker)
    worker.kill()
    committed = len(pipeline.client.all(pipeline.output))
    pipeline.client.publish(pipeline.output, {"value": b"{}", "partition": 0})
    assert len(pipeline.client.all(pipeline.output)) == committed, "the transaction is open"
    until("its end", lambda: len(pipeline.client.all(pipeline.output)) == committed + 1, patience_s=TIMEOUT_S)


def _is_all_moved(pipeline: Pipeline, before: dict[int, int]) -> bool:
    now = pipeline.client.committed(pipeline.group, pipeline.input)
    return all(now[partition] > before.get(partition, 0) for partition in now)
