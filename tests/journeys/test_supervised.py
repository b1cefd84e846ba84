"""`headrace run FILE` of a pipeline that comes apart: every group a child, brought back when it dies, ended with it.

A child that was killed in an idle pipeline would prove little: `test_apart_killed.py` kills under load.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from headrace.streams.supervisor.state import ChildState, read_states
from tests.support.client import until
from tests.support.pipeline import Pipeline
from tests.support.worker import Worker

pytestmark = pytest.mark.broker

APART = {"front": {"stages": ["ingress"]}, "echo": {"models": ["echo"]}}
GROUPS = {"front", "echo", "main"}
AT_ONCE = "starting it again in 0.1 s"


class Supervisor:
    """`headrace run FILE`, and what it says of its children."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.name = pipeline.name
        self.worker: Worker = pipeline.start()
        until("three children that are ready", lambda: {c.doing for c in self.children().values()} == {"ready"})

    def children(self) -> Mapping[str, ChildState]:
        """The children, by group, as soon as all are known."""
        assert self.worker.process.poll() is None, self.worker.lines[-5:]
        found = read_states(Path(os.environ["HEADRACE_HOME"], "run", f"{self.name}.0.json"))
        return found if found.keys() == GROUPS else {}


@pytest.fixture
def supervisor(pipeline: Pipeline) -> Supervisor:
    pipeline.write(groups=APART, topics={"partitions": 2})
    return Supervisor(pipeline)


def test_records_go_through_all_children_and_a_signal_ends_them_all(pipeline: Pipeline, supervisor: Supervisor) -> None:
    pids = [state.pid for state in supervisor.children().values()]
    published = pipeline.publish(*(f"1.0 text{at}" for at in range(50)))
    assert {seen.body["id"] for seen in pipeline.outputs(50)} == set(published)
    assert supervisor.worker.terminate(40) == 0
    assert [pid for pid in pids if pid and Path(f"/proc/{pid}").exists()] == []


def test_a_killed_child_is_started_again_at_once_and_nothing_is_lost(
    pipeline: Pipeline, supervisor: Supervisor
) -> None:
    published = pipeline.publish(*(f"1.0 text{at}" for at in range(20)))
    pipeline.outputs(20)
    for group in sorted(GROUPS):
        pid = supervisor.children()[group].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        published += pipeline.publish(f"1.0 after the death of {group}")
        pipeline.outputs(len(published))
        until("all children", lambda: {c.doing for c in supervisor.children().values()} == {"ready"})
        assert supervisor.children()[group].starts == 2
    results, dead = pipeline.ended()
    assert dead == []
    assert {seen.body["id"] for seen in results} == set(published)
    said = [event["message"] for event in supervisor.worker.events if AT_ONCE in event["message"]]
    assert [message.partition(" ")[0] for message in said] == sorted(GROUPS)
    assert supervisor.worker.terminate(40) == 0
