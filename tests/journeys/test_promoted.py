"""`headrace model promote` under load: every record is served wholly by one version, none is lost.

It would prove nothing if no record was on its way when the version changed: records are published all the while, and
both versions must have served some.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headrace.core.registry.folder import read_folder
from headrace.core.registry.store import Registry
from tests.support.client import until
from tests.support.pipeline import Pipeline
from tests.tiny_model import write_model

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

APART = {"front": {"stages": ["ingress"]}, "expert": {"models": ["expert"]}}
GROUPS = ("front", "expert", "main")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Two versions of a model that differ in their weights; `prod` is the first."""
    registry = Registry(str(tmp_path / "headrace-home" / "registry"))
    for seed in (1, 2):
        folder = write_model(tmp_path / f"tiny{seed}", seed=seed)
        registry.add(read_folder(folder), "reviews", alias="prod" if seed == 1 else None)
    return registry


@contextmanager
def publishing(pipeline: Pipeline, text: str = "a good film {}") -> Iterator[list[str]]:
    """Publish a few records all the time; {} in their text is their number."""
    published: list[str] = []
    stop = threading.Event()

    def publish() -> None:
        while not stop.wait(0.02):
            at = len(published)
            published.extend(pipeline.publish(*(text.format(at + more) for more in range(5)), key=b"ann"))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield published
    finally:
        stop.set()
        thread.join()


def said_of(pipeline: Pipeline) -> dict[bytes, bytes | None]:
    """What the control topic says now, by key; a worker says of no version that it has it once it is let go."""
    return {seen.key or b"": seen.value for seen in pipeline.client.all(f"{pipeline.name}.control")}


def versions_by_offset(pipeline: Pipeline) -> list[str]:
    results, dead = pipeline.ended()
    assert dead == []
    return [seen.body["version"] for seen in sorted(results, key=lambda seen: seen.body["source"]["offset"])]


def loaded(pipeline: Pipeline, group: str) -> list[str]:
    """The versions that the worker of a group says it has, by its last heartbeat."""
    beats = pipeline.client.all(f"{pipeline.name}.{group}.heartbeat")
    return list(beats[-1].body["versions"].get("expert", [])) if beats else []


def test_a_version_is_promoted_under_load_and_rolled_back(pipeline: Pipeline, registry: Registry) -> None:
    pipeline.write(models={"expert": {"onnx": {"model": "reviews@prod"}}}, groups=APART)
    pipeline.run_groups(*GROUPS)
    with publishing(pipeline) as published:
        until("some results", lambda: pipeline.client.ends(pipeline.output).get(0, (0, 0))[1] > 20)
        said = pipeline.headrace("model", "promote", str(pipeline.file), "reviews@2", "--alias", "prod")
        (after,) = pipeline.publish("a bad film")
        back = pipeline.headrace("model", "promote", str(pipeline.file), "reviews@1", "--json")
        (last,) = pipeline.publish("a bad film")
    assert said == "promoted reviews@prod is reviews@2: new records go to it\n"
    assert json.loads(back) == {"reference": "reviews@prod", "version": "reviews@1", "running": True}
    served = versions_by_offset(pipeline)
    results, _ = pipeline.ended()
    assert {seen.body["id"] for seen in results} == {*published, after, last}
    by_id = {seen.body["id"]: seen.body for seen in results}
    assert (by_id[after]["version"], by_id[last]["version"]) == ("reviews@2", "reviews@1")
    changes = [one for one, before in zip(served[1:], served, strict=False) if one != before]
    assert (served[0], changes) == ("reviews@1", ["reviews@2", "reviews@1"])
    assert len({body["output"]["score"] for body in by_id.values() if body["version"] == "reviews@2"}) > 0
    assert len({(body["plan"], body["version"]) for body in by_id.values()}) == 2, "a plan has one version"
    until("the end of the other version", lambda: loaded(pipeline, "expert") == ["reviews@1"])
    until("its word taken back", lambda: said_of(pipeline)[b"ready/reviews@2/expert/w1"] is None)
    control = said_of(pipeline)
    assert control[b"ready/reviews@1/expert/w1"]
    assert control[b"switched/reviews@2/w1"] is None
    assert registry.aliases("reviews") == {"prod": 1}


def test_joined_answers_are_of_one_version_when_it_is_promoted_under_load_exactly_once(
    pipeline: Pipeline, registry: Registry
) -> None:
    """The mean of two equal answers is that answer, and of answers by two versions is not."""
    both = {name: {"onnx": {"model": "reviews@prod"}} for name in ("expert", "twin")}
    pipeline.write(
        models=both,
        route={"parallel": {"models": [*both], "join": "average"}},
        delivery={"guarantee": "exactly_once"},
        groups={**APART, "twin": {"models": ["twin"]}},
    )
    workers = pipeline.run_groups(*GROUPS, "twin")
    with publishing(pipeline, "a good film") as published:
        until("some results", lambda: pipeline.client.ends(pipeline.output).get(0, (0, 0))[1] > 20)
        pipeline.headrace("model", "promote", str(pipeline.file), "reviews@2")
        workers["main"].kill()
        (after,) = pipeline.publish("a good film")
        pipeline.run_groups("main")
    results, dead = pipeline.ended()
    assert dead == []
    assert sorted(seen.body["id"] for seen in results) == sorted([*published, after])
    assert {tuple(seen.body["route"]["path"]) for seen in results} == {("expert", "twin")}
    scores: dict[str, set[float]] = {}
    for seen in results:
        scores.setdefault(seen.body["plan"], set()).add(round(seen.body["output"]["scores"]["positive"], 5))
    (one,), (other,) = scores.values()  # a plan has one version
    assert one != other


def test_a_file_that_names_another_number_under_lag_leaves_each_record_its_version(
    pipeline: Pipeline, registry: Registry
) -> None:
    pipeline.write(models={"expert": {"onnx": {"model": "reviews@1"}}}, groups=APART)
    front = pipeline.run("--group", "front", "--worker", "w1")
    before = pipeline.publish(*(f"a good film {at}" for at in range(20)))
    until("an end of the input", lambda: pipeline.client.lag(pipeline.group, pipeline.input) == 0)
    assert front.terminate() == 0
    pipeline.write(models={"expert": {"onnx": {"model": "reviews@2"}}}, groups=APART)
    front = pipeline.start("--group", "front", "--worker", "w1")
    after = pipeline.publish(*(f"a bad film {at}" for at in range(20)))
    until("waiting", lambda: any("waiting for them" in line for line in front.lines))
    expert = pipeline.run_groups("expert", "main")["expert"]
    results, dead = pipeline.ended()
    assert dead == []
    served = {seen.body["id"]: seen.body["version"] for seen in results}
    assert [served[record] for record in before] == ["reviews@1"] * 20
    assert [served[record] for record in after] == ["reviews@2"] * 20
    assert any("reviews@1 was not loaded for expert, and a record needs it" in line for line in expert.lines)
