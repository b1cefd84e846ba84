"""Changing a pipeline that runs over several processes, by command: pause, skip, kill switches; restarts keep them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.conftest import MakePipeline, ending
from tests.support.client import until
from tests.support.pipeline import Pipeline

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

APART = {"front": {"stages": ["ingress"]}, "expert": {"models": ["expert"]}}
GROUPS = ("front", "expert", "main")
FOLLOW_S = 20.0


@pytest.fixture(scope="module")
def pipeline(make_pipeline: MakePipeline) -> Iterator[Pipeline]:
    with ending(make_pipeline("controlled")) as made:
        made.write(
            models={"quick": {"echo": {"label": "quick"}}, "expert": {"echo": {"label": "expert"}}},
            route={"cascade": {"order": ["quick", "expert"], "accept": 0.5}},
            groups=APART,
        )
        made.run_groups(*GROUPS)
        yield made


def stage_of(pipeline: Pipeline, name: str) -> dict[str, Any]:
    """What `headrace status --json` says of a stage."""
    stages = json.loads(pipeline.headrace("status", str(pipeline.file), "--json"))["stages"]
    (found,) = [stage for stage in stages if stage["stage"] == name]
    return dict(found)


def labels(pipeline: Pipeline, positions: list[str]) -> list[str]:
    """The labels of these records, as soon as they are through."""
    results, _ = pipeline.ended()
    by_id = {seen.body["id"]: seen.body["output"]["label"] for seen in results}
    return [by_id[position] for position in positions if position in by_id]


def test_a_paused_stage_reads_nothing_also_after_a_restart_and_then_goes_on(pipeline: Pipeline) -> None:
    file = str(pipeline.file)
    assert labels(pipeline, pipeline.publish("0.1 before")) == ["expert"]
    pipeline.headrace("pause", file, "--stage", "expert", "--why", "ticket 12")
    front, expert, _ = pipeline.workers[-3:]
    until("the pause", lambda: "expert: paused" in expert.get("readyz")[1], patience_s=FOLLOW_S)
    waiting = pipeline.publish("0.1 one", "0.1 two")
    through = pipeline.publish("0.9 quick is sure")
    until("frames on the link", lambda: pipeline.client.lag(f"{pipeline.name}.expert", pipeline.link("expert")))
    pipeline.outputs(2)
    assert through[0] in {seen.body["id"] for seen in pipeline.client.all(pipeline.output)}
    assert expert.terminate() == 0
    again = pipeline.start("--group", "expert", "--worker", "w1")
    until("the pause", lambda: "expert: paused" in again.get("readyz")[1])
    said = stage_of(pipeline, "expert")
    assert (said["paused"], said["lag"] > 0) == ("ticket 12", True), said
    assert not set(waiting) & {seen.body["id"] for seen in pipeline.client.all(pipeline.output)}
    pipeline.headrace("resume", file)
    assert labels(pipeline, waiting) == ["expert", "expert"]
    assert front.process.poll() is None


@pytest.mark.provokes("HR523")
def test_skipped_offsets_become_dead_letters_with_their_originals(pipeline: Pipeline) -> None:
    file = str(pipeline.file)
    pipeline.headrace("pause", file, "--stage", "ingress")
    front = pipeline.workers[0]
    until("the pause", lambda: "paused" in front.get("readyz")[1], patience_s=FOLLOW_S)
    poison, fine = pipeline.publish("0.1 poison", key=b"ann")[0], pipeline.publish("0.1 fine")[0]
    pipeline.headrace("skip", file, "--stage", "ingress", "--partition", "0", "--count", "1", "--why", "poison")
    pipeline.headrace("resume", file)
    assert labels(pipeline, [fine]) == ["expert"]
    (letter,) = [one for one in pipeline.dead_letters(1) if one.header("headrace.code") == "HR523"]
    assert (letter.key, letter.body) == (b"ann", {"text": "0.1 poison"})
    assert poison not in {seen.body["id"] for seen in pipeline.client.all(pipeline.output)}


@pytest.mark.provokes("HR522")
def test_a_stopped_model_answers_nothing_and_a_cascade_goes_around_it(pipeline: Pipeline) -> None:
    file = str(pipeline.file)
    pipeline.headrace("model", "stop", file, "quick")
    until("the stop", lambda: labels(pipeline, pipeline.publish("0.9 sure")) == ["expert"], patience_s=FOLLOW_S)
    pipeline.headrace("model", "stop", file, "expert")

    def refused() -> bool:
        pipeline.publish("0.9 nobody is left")
        _, dead = pipeline.ended()
        return any(letter.header("headrace.code") == "HR522" for letter in dead)

    until("a dead letter", refused, patience_s=FOLLOW_S)
    for name in ("quick", "expert"):
        pipeline.headrace("model", "start", file, name)
    until("the start", lambda: labels(pipeline, pipeline.publish("0.9 sure")) == ["quick"], patience_s=FOLLOW_S)


def test_a_worker_that_cannot_hear_of_changes_any_more_ends_and_says_so(make_pipeline: MakePipeline) -> None:
    with ending(make_pipeline("deaf")) as made:
        ears = made.folder / "ears"
        made.write(preprocess=[{"deaf": {"file": str(ears)}}])
        worker = made.run()
        published = made.publish("1.0 before")
        made.outputs(1)
        ears.touch()
        assert worker.end() == 1
        (last,) = [event for event in worker.events if event["level"] == "error"]
        assert "HR999 the control topic is no longer followed: RuntimeError: no ears" in last["message"]
        results, dead = made.ended()
        assert ([seen.body["id"] for seen in results], dead) == (published, [])
