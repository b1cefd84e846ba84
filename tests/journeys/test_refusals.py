"""What keeps a worker from running is one line with place, code and mend, exit 1, within seconds; never a traceback."""

from __future__ import annotations

import re
import signal
import socket
import time
from typing import Any

import pytest

from tests.support.client import until
from tests.support.pipeline import Pipeline
from tests.support.worker import Worker

pytestmark = pytest.mark.broker

SOON_S = 15.0


def last_line(worker: Worker) -> str:
    """Wait until it has ended with 1, and return the one line that is not plain information."""
    assert worker.end() == 1
    (line,) = [line for line in worker.lines if " INFO " not in line]
    return line


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "a damaged model": (
        {"models": {"echo": {"echo": {"fails_to_load": True}}}},
        r"yaml:4:\d+ HR604 model 'echo' could",
    ),
    "other partitions": (
        {"topics": {"partitions": 2}},
        r"yaml:3:\d+ HR212 topic '.*' has 1 partitions, the plan says 2",
    ),
    "no broker": ({"broker": {"bootstrap": "127.0.0.1:1"}}, "^HR201 no Kafka broker answers at 127.0.0.1:1"),
    "a broker that is none": ({"broker": {"bootstrap": "no host"}}, "^HR201 no Kafka broker answers at no host"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_a_pipeline_that_cannot_run_says_so_in_one_line(pipeline: Pipeline, what: str) -> None:
    sections, fault = REFUSALS[what]
    pipeline.client.make_topic(pipeline.input)
    pipeline.write(**sections)
    begun = time.monotonic()
    assert re.search(fault, last_line(pipeline.start("--log", "text")))
    assert time.monotonic() - begun < SOON_S


@pytest.mark.provokes("HR410")
def test_a_web_port_that_is_taken_is_one_line(pipeline: Pipeline) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = last_line(pipeline.start("--log", "text", "--web-port", port))
    assert re.search(rf"^HR410 port {port} on 127.0.0.1 cannot be opened: .*; choose another --web-port$", line)


def test_with_json_logs_the_last_words_are_json_too(pipeline: Pipeline) -> None:
    pipeline.write(topics={"create": False})
    worker = pipeline.start()
    assert worker.end() == 1
    assert worker.events[-1]["code"] == "HR211"
    assert worker.events[-1]["level"] == "error"


def lose_records(pipeline: Pipeline) -> None:
    """Let the pipeline have read one record, and three expire before it reads on."""
    pipeline.client.make_topic(pipeline.input)
    pipeline.publish("a", "b", "c", "d", "e")
    pipeline.client.commit(pipeline.group, pipeline.input, {0: 1})
    pipeline.client.delete_before(pipeline.input, {0: 4})


def test_records_that_expired_stop_it_or_are_passed_over_as_the_file_says(pipeline: Pipeline) -> None:
    lose_records(pipeline)
    line = last_line(pipeline.start("--log", "text"))
    assert re.search(r"yaml:3:\d+ HR215 .*:0 was read up to 1, but holds 4 to 5: its records expired", line)
    pipeline.write(input={"topic": pipeline.input, "text": "text", "on_gap": "continue"})
    worker = pipeline.run()
    results, _ = pipeline.ended()
    assert [seen.body["output"]["label"] for seen in results] == ["e"]
    assert worker.figure("headrace_gaps_total") == 1


def test_records_that_expire_under_a_running_worker_stop_it_as_well(pipeline: Pipeline, tmp_path: Any) -> None:
    gate = tmp_path / "gate"
    pipeline.write(preprocess=[{"hold": {"file": str(gate)}}], batch={"max_records": 1})
    worker = pipeline.run()
    pipeline.publish("hold", *("x" * 100_000 for _ in range(40)))  # more than a reader takes in at once
    until("a record in its hands", (tmp_path / "gate.held").exists)
    pipeline.client.delete_before(pipeline.input, {0: 40})
    gate.touch()
    assert worker.end() == 1
    assert worker.events[-1]["code"] == "HR215"


@pytest.mark.provokes("HR411")
def test_a_second_signal_does_not_wait_for_a_step_that_hangs(pipeline: Pipeline, tmp_path: Any) -> None:
    pipeline.write(preprocess=[{"hold": {"file": str(tmp_path / "never")}}])
    worker = pipeline.run("--log", "text")
    (position,) = pipeline.publish("hold on")
    until("a record in its hands", (tmp_path / "never.held").exists)
    worker.process.send_signal(signal.SIGTERM)
    until("its word", lambda: "stopping: the batches in flight end first" in worker.lines[-1])
    assert worker.get("readyz")[0] == 503
    worker.process.send_signal(signal.SIGTERM)
    assert re.search("^HR411 stopped before the batches in flight had ended: it was told to hurry", last_line(worker))
    (tmp_path / "never").touch()
    pipeline.run()
    results, _ = pipeline.ended()
    assert [seen.body["id"] for seen in results] == [position]


def test_two_workers_of_one_name_do_not_fight_for_ever(pipeline: Pipeline) -> None:
    workers = [pipeline.run("--worker", "w1"), pipeline.start("--worker", "w1")]
    until("an end of the fight", lambda: any(worker.process.poll() is not None for worker in workers), patience_s=90)
    loser = next(worker for worker in workers if worker.process.poll() is not None)
    assert loser.process.returncode == 1
    assert loser.events[-1]["code"] == "HR216"
