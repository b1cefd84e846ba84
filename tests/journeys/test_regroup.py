"""One pipeline, fused, split and fused again: offsets stay, links drain, and what no stage reads is refused.

It would prove nothing if no record lay on a link when the grouping changed: each test asserts that some did.
"""

from __future__ import annotations

import pytest

from tests.support.client import until
from tests.support.pipeline import Pipeline

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

SPLIT = {"front": {"stages": ["ingress"]}, "echo": {"models": ["echo"]}}
STEPS = [{"slow": {"ms": 1}}]


def link(pipeline: Pipeline, stage: str) -> tuple[str, str]:
    """Return the consumer group of a stage and the topic of its link."""
    return f"{pipeline.name}.{stage}", f"{pipeline.name}.link.{stage}"


def assert_each_came_once(pipeline: Pipeline, ids: list[str]) -> None:
    pipeline.outputs(len(ids))
    for stage in ("echo", "egress"):
        until(f"an end of the link to {stage}", lambda stage=stage: pipeline.client.lag(*link(pipeline, stage)) == 0)  # type: ignore[misc]
    seen = [result.body["id"] for result in pipeline.client.all(pipeline.output)]
    assert sorted(seen) == sorted(ids)


def test_fused_then_split_then_fused_again_delivers_each_record_once(pipeline: Pipeline) -> None:
    gate = pipeline.folder / "go"
    pipeline.write(topics={"partitions": 3}, preprocess=[{"hold": {"file": str(gate)}}])
    worker = pipeline.run("--worker", "w1")
    ids: list[str] = []
    for partition in range(3):
        texts = ("hold" if at == 30 else f"1.0 first{at}" for at in range(200))
        ids += pipeline.publish(*texts, partition=partition)
    until("a batch that is held", (pipeline.folder / "go.held").exists)
    worker.process.terminate()
    until("the end of reading", lambda: any("stopping" in line for line in worker.lines))
    gate.touch()
    assert worker.end() == 0
    assert pipeline.client.lag(pipeline.group, pipeline.input) > 0, "it was stopped in the middle"

    pipeline.write(topics={"partitions": 3}, preprocess=STEPS, groups=SPLIT)
    front = pipeline.run("--group", "front", "--worker", "w1")
    ids += pipeline.publish(*(f"1.0 second{at}" for at in range(300)))
    until("frames on the link", lambda: pipeline.client.lag(*link(pipeline, "echo")) > 0)
    until("an end of the input", lambda: pipeline.client.lag(pipeline.group, pipeline.input) == 0)
    assert front.terminate() == 0
    waiting = pipeline.client.lag(*link(pipeline, "echo"))
    assert waiting > 0, "nobody read the link"

    pipeline.write(topics={"partitions": 3}, preprocess=STEPS)
    fused = pipeline.run("--worker", "w1")
    ids += pipeline.publish(*(f"1.0 third{at}" for at in range(100)))
    assert_each_came_once(pipeline, ids)
    assert fused.terminate() == 0


def test_a_link_keeps_everything_while_its_stage_is_down_and_is_purged_once_read(pipeline: Pipeline) -> None:
    pipeline.write(groups=SPLIT)
    pipeline.run("--group", "front")
    pipeline.run("--group", "main")
    ids = pipeline.publish(*(f"1.0 text{at}" for at in range(200)))
    until("an end of the input", lambda: pipeline.client.lag(pipeline.group, pipeline.input) == 0)
    assert pipeline.client.config(f"{pipeline.name}.link.echo")["retention.ms"] == "-1"
    first, end = pipeline.client.ends(f"{pipeline.name}.link.echo")[0]
    assert first == 0
    assert end > 0
    pipeline.run("--group", "echo")
    assert_each_came_once(pipeline, ids)
    until("a purged link", lambda: pipeline.client.ends(f"{pipeline.name}.link.echo")[0][0] == end)


@pytest.mark.provokes("HR230")
def test_a_link_that_no_stage_of_the_plan_reads_is_refused_until_it_is_empty(pipeline: Pipeline) -> None:
    both = {"echo": "echo", "other": "echo"}
    route = {"cascade": {"order": ["other", "echo"], "accept": 0.9}}
    pipeline.write(models=both, route=route, groups=SPLIT)
    front = pipeline.run("--group", "front")
    pipeline.run("--group", "main")
    pipeline.publish("0.1 unsure")
    until("a frame on the link", lambda: pipeline.client.lag(*link(pipeline, "echo")) > 0)
    front.terminate()

    pipeline.write(models={"other": "echo"}, groups={"front": {"stages": ["ingress"]}})
    refused = pipeline.start("--group", "front")
    assert refused.end() == 1
    assert "HR230 1 frames wait on" in refused.lines[-1]

    pipeline.write(models=both, route=route, groups=SPLIT)
    pipeline.run("--group", "echo")
    pipeline.outputs(1)


def test_what_is_between_processes_when_the_file_changes_runs_under_the_new_one(pipeline: Pipeline) -> None:
    pipeline.write(groups=SPLIT)
    front = pipeline.run("--group", "front", "--worker", "w1")
    ids = pipeline.publish(*(f"0.4 text{at}" for at in range(50)))
    until("an end of the input", lambda: pipeline.client.lag(pipeline.group, pipeline.input) == 0)
    assert pipeline.client.lag(*link(pipeline, "echo")) > 0
    front.terminate()

    changed = {"groups": SPLIT, "postprocess": [{"labels": {"threshold": 0.6, "otherwise": "unsure"}}]}
    pipeline.write(**changed)
    front = pipeline.start("--group", "front", "--worker", "w1")
    ids += pipeline.publish(*(f"0.4 late{at}" for at in range(10)))
    until("waiting", lambda: any("waiting for them" in line for line in front.lines))
    pipeline.run("--group", "main")
    pipeline.run("--group", "echo")
    assert_each_came_once(pipeline, ids)
    assert {result.body["output"]["label"] for result in pipeline.client.all(pipeline.output)} == {"unsure"}
    assert pipeline.client.all(pipeline.dead_topic) == []


@pytest.mark.provokes("HR521")
def test_a_model_added_and_one_dropped_under_lag_runs_what_is_there_and_names_what_is_not(pipeline: Pipeline) -> None:
    def write(second: str, **sections: object) -> None:
        pipeline.write(
            models={"echo": {"echo": {"label": "first"}}, second: {"echo": {"label": second}}},
            route={"cascade": {"order": ["echo", second], "accept": 0.5}},
            groups={"front": {"stages": ["ingress"]}, "echo": {"models": ["echo", second]}},
            **sections,
        )

    write("dropped")
    front = pipeline.run("--group", "front", "--worker", "w1")
    sure = pipeline.publish(*(f"0.{5 + at % 5} sure{at}" for at in range(20)))
    unsure = pipeline.publish(*(f"0.1 unsure{at}" for at in range(5)))
    until("an end of the input", lambda: pipeline.client.lag(pipeline.group, pipeline.input) == 0)
    assert pipeline.client.lag(*link(pipeline, "echo")) > 0
    front.terminate()

    write("added", postprocess=[{"labels": {"threshold": 0.7, "otherwise": "unsure"}}])
    front = pipeline.start("--group", "front", "--worker", "w1")
    late = pipeline.publish("0.1 late", "0.9 late")
    until("waiting", lambda: any("waiting for them" in line for line in front.lines))
    pipeline.run("--group", "main")
    pipeline.run("--group", "echo")
    results, dead = pipeline.ended()
    found = {seen.body["id"]: (seen.body["model"], seen.body["output"]["label"]) for seen in results}
    assert found.keys() == {*sure, *late}, "what the slip still needs is there"
    assert {found[record] for record in sure} == {("echo", "first"), ("echo", "unsure")}, "by the new threshold"
    assert [found[record] for record in late] == [("added", "unsure"), ("echo", "first")]
    assert [letter.header("headrace.code") for letter in dead] == ["HR521"] * len(unsure)
    assert sorted(letter.body["text"] for letter in dead) == [f"0.1 unsure{at}" for at in range(5)]
