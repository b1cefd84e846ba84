"""More workers of one group than one: they share its work, and one that is killed costs nothing but time.

It would prove nothing if one of them did all the work, or if there was none left to do: each has to have served
records, and those that are to be killed are stopped first, so that what comes then has to wait for others.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from headrace.core.registry.store import Registry
from headrace.streams.supervisor.state import read_states
from tests.support.client import until
from tests.support.pipeline import Pipeline
from tests.tiny_shards import sharded

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

RECORDS = 3_000
CHILDREN = {"front", "back.1", "back.2", "main"}


def test_replicas_and_one_more_worker_share_a_shard_and_a_kill_loses_nothing(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    registry = Registry(str(tmp_path / "headrace-home" / "registry"))
    registry.add(sharded(tmp_path / "tiny", 2), "tiny")
    pipeline.write(
        models={"expert": {"onnx": {"model": "tiny@1"}}},
        groups={"front": {"stages": ["ingress", "expert.1"]}, "back": {"stages": ["expert.2"], "replicas": 2}},
        topics={"partitions": 6},
    )
    supervisor = pipeline.start()
    states = Path(os.environ["HEADRACE_HOME"], "run", f"{pipeline.name}.0.json")

    def ready() -> bool:
        assert supervisor.process.poll() is None, supervisor.lines[-5:]
        found = read_states(states)
        return found.keys() == CHILDREN and {child.doing for child in found.values()} == {"ready"}

    until("four children that are ready", ready)
    by_hand = pipeline.run("--group", "back", "--worker", "w2")
    group, link = f"{pipeline.name}.expert.2", pipeline.link("expert.2")
    shares = until("three members with partitions", lambda: _shares(pipeline, group, 3))
    assert sorted(number for share in shares for number in share) == list(range(6))
    published = pipeline.client.publish(pipeline.input, *_messages(RECORDS))
    until("a first part", lambda: all(pipeline.client.committed(group, link).get(number) for number in range(6)))
    supervised = read_states(states)["back.1"].pid
    assert supervised is not None
    victims = supervised, by_hand.process.pid
    for victim in victims:
        os.kill(victim, signal.SIGSTOP)
    published += pipeline.client.publish(pipeline.input, *_messages(RECORDS))
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    # A record is in the input or in the link until a member has answered it: asked in this order, none is missed.
    assert pipeline.client.lag(pipeline.group, pipeline.input) + pipeline.client.lag(group, link) > 0
    results, dead = pipeline.ended(patience_s=90)
    assert dead == []
    assert {seen.body["id"] for seen in results} == set(published)
    assert supervisor.terminate(40) == 0


def _messages(count: int) -> list[dict[str, Any]]:
    """Records for all partitions in turn."""
    return [{"value": json.dumps({"text": f"good film {at}"}), "partition": at % 6} for at in range(count)]


def _shares(pipeline: Pipeline, group: str, count: int) -> list[list[int]]:
    """The partitions of each member of a group, as soon as there are so many members and each has some."""
    found = pipeline.client.admin.describe_consumer_groups([group])[group].result(20)
    shares = [[tp.partition for tp in member.assignment.topic_partitions] for member in found.members]
    return shares if len(shares) == count and all(shares) else []
