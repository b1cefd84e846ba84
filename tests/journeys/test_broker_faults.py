"""Faults of the broker under load, with real workers: restart, outage, a deleted topic, a full disk, a cut network.

Each asserts that the fault struck while there was lag and a batch in flight, and compares the ids of what came out.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import stopped_at_last
from tests.journeys.conftest import ending
from tests.support.client import until
from tests.support.disk import fill, small_disk
from tests.support.node import Node
from tests.support.pipeline import Pipeline
from tests.support.proxy import Proxy, proxied_settings
from tests.support.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

RECORDS = 3_000
OUTAGE_S = 15.0
CUT_S = 10.0
QUIET_LINES = 60  # aiokafka alone writes some thousand in an outage of 15 s


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, proxy: Proxy) -> Iterator[Node]:
    """A broker of the module's own, with a second listener behind the proxy."""
    home = tmp_path_factory.mktemp("own")
    with stopped_at_last(home):
        yield Node(home, proxied_settings(proxy.target_port, proxy.port)).start()


@pytest.fixture
def pipeline(node: Node, proxy: Proxy, tmp_path: Path, topic: Callable[..., str]) -> Iterator[Pipeline]:
    """Its workers reach the broker through the proxy, the test does not."""
    proxy.mend()
    if not node.is_alive:
        node.start()
    with ending(Pipeline(tmp_path, topic(), node.bootstrap)) as made:
        made.write(preprocess=[{"slow": {"ms": 2}}], topics={"partitions": 2}, broker={"bootstrap": proxy.bootstrap})
        yield made


def loaded(pipeline: Pipeline, worker: Worker) -> list[str]:
    """Publish, wait until the worker is in the middle of it, and return the ids."""
    messages = ({"value": json.dumps({"text": str(at)}), "partition": at % 2} for at in range(RECORDS))
    published = pipeline.client.publish(pipeline.input, *messages)
    until("some results", lambda: worker.figure("headrace_records_total") > 100)
    until("a batch in flight", lambda: worker.figure("headrace_in_flight_records"))
    assert pipeline.client.lag(pipeline.group, pipeline.input) > RECORDS / 4
    return published


def why(worker: Worker) -> str:
    """Why the worker is not ready; empty when it is, or says nothing."""
    status, body = worker.get("readyz")
    return str(json.loads(body)["why"]) if status == 503 else ""


def assert_all_came(pipeline: Pipeline, published: list[str], patience_s: float = 60) -> None:
    results, dead = pipeline.ended(patience_s)
    assert dead == []
    assert {seen.body["id"] for seen in results} == set(published)
    copies = {(seen.body["id"], seen.header("ce_id")) for seen in results}
    assert len(copies) == len(published), "a copy has the same ce_id"


def test_an_outage_is_waited_for_and_told_in_few_lines(node: Node, pipeline: Pipeline) -> None:
    pipeline.write(preprocess=[{"slow": {"ms": 2}}], topics={"partitions": 2})  # not through the proxy
    worker = pipeline.run("--worker", "w1")
    published = loaded(pipeline, worker)
    node.kill()
    begun = time.monotonic()
    until("its notice of it", lambda: "no Kafka broker answers at" in why(worker))
    time.sleep(max(0.0, begun + OUTAGE_S - time.monotonic()))  # the outage itself
    assert worker.get("healthz")[0] == 200
    node.start()
    assert_all_came(pipeline, published)
    until("its recovery", lambda: worker.get("readyz")[0] == 200)
    assert len(worker.lines) < QUIET_LINES, worker.lines
    assert worker.terminate() == 0


def test_a_restart_is_hardly_noticed(node: Node, pipeline: Pipeline) -> None:
    worker = pipeline.run("--worker", "w1")
    published = loaded(pipeline, worker)
    node.stop()
    node.start()
    assert_all_came(pipeline, published)
    assert worker.process.poll() is None
    assert worker.terminate() == 0


@pytest.mark.parametrize("silently", [True, False], ids=["in silence", "with a reset"])
def test_a_network_that_is_cut_for_a_while_loses_nothing(pipeline: Pipeline, proxy: Proxy, silently: bool) -> None:
    worker = pipeline.run("--worker", "w1")
    published = loaded(pipeline, worker)
    proxy.cut(silently=silently)
    begun, carried = time.monotonic(), proxy.carried_bytes
    until("its notice of it", lambda: why(worker))
    time.sleep(max(0.0, begun + CUT_S - time.monotonic()))  # the cut itself
    assert proxy.carried_bytes == carried
    proxy.mend()
    assert_all_came(pipeline, published)
    until("its recovery", lambda: worker.get("readyz")[0] == 200)
    assert worker.terminate() == 0


@pytest.mark.provokes("HR244")
@pytest.mark.parametrize("which", ["output", "input"])
def test_a_topic_that_is_deleted_ends_the_worker_with_its_name(pipeline: Pipeline, which: str) -> None:
    worker = pipeline.run("--worker", "w1")
    published = loaded(pipeline, worker)
    name = {"output": pipeline.output, "input": pipeline.input}[which]
    pipeline.client.delete_topic(name)
    assert worker.end(90) == 1
    told = [event for event in worker.events if event.get("code") == "HR244"]
    assert [event["message"].partition(";")[0] for event in told] == [f"HR244 deleted while the pipeline ran: {name!r}"]
    assert len(worker.lines) < QUIET_LINES, worker.lines
    again = pipeline.run("--worker", "w1")
    if which == "output":  # what was not committed when it went comes to the new one
        results, dead = pipeline.ended(60)
        assert dead == []
        assert 0 < len({seen.body["id"] for seen in results}) <= len(published)
    else:
        (position,) = pipeline.publish("after")
        assert position in [seen.body["id"] for seen in pipeline.ended()[0]]
    assert again.terminate() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_ends_the_broker_and_all_resumes_when_there_is_room(tmp_path: Path) -> None:
    home = tmp_path / "small"
    with small_disk(home, "150m") as (enter, grow), stopped_at_last(home):
        node = Node(home, {"log.segment.bytes": str(1 << 20)}, prefix=enter).start()
        with ending(Pipeline(tmp_path, "full", node.bootstrap)) as pipeline:
            pipeline.write(preprocess=[{"slow": {"ms": 2}}], topics={"partitions": 2})
            worker = pipeline.run("--worker", "w1")
            published = loaded(pipeline, worker)
            pipeline.client.make_topic("filler")
            fill(pipeline.client, "filler", node)
            assert not node.is_alive
            until("its notice of it", lambda: "no Kafka broker answers at" in why(worker))
            grow("1g")
            node.start()
            assert_all_came(pipeline, published)
            until("its recovery", lambda: worker.get("readyz")[0] == 200)
            assert worker.terminate() == 0
