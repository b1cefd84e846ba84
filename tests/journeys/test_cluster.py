"""Three brokers: a leader that dies under load, and too few replicas in step to take a record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from headrace.streams.broker.port import HOST
from tests.conftest import stopped_at_last
from tests.journeys.conftest import ending
from tests.support.client import until
from tests.support.node import Cluster, Node
from tests.support.pipeline import Pipeline
from tests.support.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

RECORDS = 4_000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("cluster")
    made = Cluster(home)
    with ExitStack() as stack:
        for node in made.nodes:
            stack.enter_context(stopped_at_last(node.home))
        yield made.start()
        made.stop()


@pytest.fixture
def pipeline(cluster: Cluster, tmp_path: Path, topic: Callable[..., str]) -> Iterator[Pipeline]:
    for node in cluster.nodes:
        if not node.is_alive:
            node.start()
    with ending(Pipeline(tmp_path, topic(), cluster.bootstrap)) as made:
        made.write(preprocess=[{"slow": {"ms": 2}}], topics={"partitions": 2})
        yield made


def leader(cluster: Cluster, pipeline: Pipeline, topic: str, partition: int = 0) -> Node:
    """The node that leads a partition."""
    found = pipeline.client.admin.list_topics(topic, timeout=20)
    number = found.topics[topic].partitions[partition].leader
    port = found.brokers[number].port
    assert found.brokers[number].host == HOST
    return next(node for node in cluster.nodes if node.port == port)


def in_step(pipeline: Pipeline, topic: str) -> set[int]:
    """How many replicas are in step, of each partition."""
    found = pipeline.client.admin.list_topics(topic, timeout=20).topics[topic]
    return {len(partition.isrs) for partition in found.partitions.values()}


def loaded(pipeline: Pipeline, worker: Worker) -> list[str]:
    """Publish, wait until the worker is in the middle of it, and return the ids."""
    messages = ({"value": json.dumps({"text": str(at)}), "partition": at % 2} for at in range(RECORDS))
    published = pipeline.client.publish(pipeline.input, *messages)
    until("some results", lambda: worker.figure("headrace_records_total") > 100)
    until("a batch in flight", lambda: worker.figure("headrace_in_flight_records"))
    assert pipeline.client.lag(pipeline.group, pipeline.input) > RECORDS / 4
    return published


def assert_all_came(pipeline: Pipeline, published: list[str]) -> None:
    results, dead = pipeline.ended(150)
    assert dead == []
    assert {seen.body["id"] for seen in results} == set(published)


def test_a_leader_that_dies_under_load_is_followed_by_another(cluster: Cluster, pipeline: Pipeline) -> None:
    worker = pipeline.run("--worker", "w1")
    published = loaded(pipeline, worker)
    first = leader(cluster, pipeline, pipeline.output)
    first.kill()
    assert_all_came(pipeline, published)
    assert leader(cluster, pipeline, pipeline.output) is not first
    until("its recovery", lambda: worker.get("readyz")[0] == 200)
    first.start()
    assert worker.process.poll() is None
    assert worker.terminate(30) == 0


def test_too_few_replicas_are_waited_for_and_said_so(cluster: Cluster, pipeline: Pipeline) -> None:
    worker = pipeline.run("--worker", "w1")
    assert pipeline.client.config(pipeline.output)["min.insync.replicas"] == "2"
    published = loaded(pipeline, worker)
    others = [node for node in cluster.nodes if node is not leader(cluster, pipeline, pipeline.output)]
    for node in others:
        node.kill()
    until("its notice of it", lambda: "takes no records" in worker.get("readyz")[1], patience_s=90)
    assert worker.get("healthz")[0] == 200
    for node in others:
        node.launch()
    for node in others:
        node.await_answer()
    until("replicas in step", lambda: in_step(pipeline, pipeline.output) == {3}, patience_s=60)
    assert_all_came(pipeline, published)
    until("its recovery", lambda: worker.get("readyz")[0] == 200)
    assert worker.terminate(30) == 0
