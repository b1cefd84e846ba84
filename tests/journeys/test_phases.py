"""An experiment while it runs: changed weights are rolled out worker by worker, and it is stopped and started.

It would prove nothing if only one of the two workers had split what is looked at: what each one read is asserted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.conftest import MakePipeline, ending
from tests.support.client import Seen, until
from tests.support.pipeline import Pipeline
from tests.support.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

PARTITIONS = 4
UNITS = [f"user{at}" for at in range(40)]
APART = {"front": {"stages": ["ingress"]}}
FOLLOW_S = 20.0


def sections(pipeline: Pipeline, *weights: int) -> dict[str, Any]:
    """An experiment whose treatment answers with another model."""
    control, treatment = weights
    treated = {"route": {"single": {"model": "expert"}}}
    return {
        "input": {"topic": pipeline.input, "text": "text", "unit": "user"},
        "topics": {"partitions": PARTITIONS},
        "models": {name: {"echo": {"label": name}} for name in ("quick", "expert")},
        "route": {"single": {"model": "quick"}},
        "experiments": {
            "better": {"variants": {"control": {"weight": control}, "treatment": {"weight": treatment, "set": treated}}}
        },
        "groups": APART,
    }


def front(pipeline: Pipeline, name: str) -> Worker:
    return pipeline.run("--group", "front", "--worker", name)


def shown(pipeline: Pipeline) -> dict[str, str]:
    """What `headrace experiment show` says that each unit meets, by the file as it is now."""
    asked = [word for unit in UNITS for word in ("--unit", unit)]
    facts = json.loads(pipeline.headrace("experiment", "show", str(pipeline.file), "better", "--json", *asked))
    return {one["unit"]: one["variant"] for one in facts["units"]}


def shared(pipeline: Pipeline) -> dict[str, list[int]]:
    """Wait until both workers read; return the partitions of each, by its name."""

    def both() -> dict[str, list[int]] | None:
        found = {name: of for client, of in pipeline.readers().items() for name in ("w1", "w2") if name in client}
        return found if len(found) == 2 and sum(map(len, found.values())) == PARTITIONS else None

    return until("partitions for both", both)


def round_of(pipeline: Pipeline) -> list[Seen]:
    """Publish each unit to each partition, and return the results; by value they are told from those before."""
    values = [json.dumps({"text": f"0.5 a film of {unit}", "user": unit}) for unit in UNITS]
    messages = [{"value": value, "partition": at} for value in values for at in range(PARTITIONS)]
    published = pipeline.client.publish(pipeline.input, *messages)
    results, dead = pipeline.ended()
    assert dead == []
    found = {seen.body["id"]: seen for seen in results}
    return [found[position] for position in published]


def met(seen: Seen) -> tuple[int, str]:
    """The phase and the variant of the experiment in a result."""
    (one,) = seen.body["experiments"]
    assert one["id"] == "better"
    return one["phase"], one["variant"]


@pytest.fixture
def pipeline(make_pipeline: MakePipeline) -> Iterator[Pipeline]:
    with ending(make_pipeline("phases")) as made:
        made.write(**sections(made, 1, 1))
        made.run_groups("main")
        yield made


def test_changed_weights_open_a_phase_and_no_worker_tags_with_another_ones(pipeline: Pipeline) -> None:
    old = shown(pipeline)
    first, second = front(pipeline, "w1"), front(pipeline, "w2")
    shared(pipeline)
    assert {met(seen) for seen in round_of(pipeline)} == {(1, "control"), (1, "treatment")}

    pipeline.write(**sections(pipeline, 1, 4))
    new = shown(pipeline)
    assert old != new
    assert first.terminate() == 0
    first = front(pipeline, "w1")
    reads = shared(pipeline)
    for seen in round_of(pipeline):
        unit, is_new = seen.body["unit"], seen.body["source"]["partition"] in reads["w1"]
        assert met(seen) == ((2, new[unit]) if is_new else (1, old[unit])), seen.body
        assert seen.body["model"] == ("expert" if met(seen)[1] == "treatment" else "quick")

    assert second.terminate() == 0
    front(pipeline, "w2")
    shared(pipeline)
    for seen in round_of(pipeline):
        assert met(seen) == (2, new[seen.body["unit"]])
    exposures = pipeline.client.all(f"{pipeline.name}.exposures")
    told = {(seen.body["unit"], seen.body["phase"], seen.body["variant"]) for seen in exposures}
    assert told == {*((unit, 1, old[unit]) for unit in UNITS), *((unit, 2, new[unit]) for unit in UNITS)}
    assert len({seen.header("ce_id") for seen in exposures}) == len(told)


def test_a_stopped_experiment_tags_nothing_also_after_a_restart_and_then_goes_on(pipeline: Pipeline) -> None:
    file, variants = str(pipeline.file), shown(pipeline)
    first, second = front(pipeline, "w1"), front(pipeline, "w2")
    shared(pipeline)
    for seen in round_of(pipeline):
        assert met(seen) == (1, variants[seen.body["unit"]])
    told = len(pipeline.client.all(f"{pipeline.name}.exposures"))

    said = pipeline.headrace("experiment", "stop", file, "better", "--why", "ticket 12")
    assert said == "stopped  better: it assigns no unit\n"
    for worker in (first, second):
        until("the stop", lambda worker=worker: has_heard(worker, "set"), patience_s=FOLLOW_S)  # type: ignore[misc]
    assert {untagged(seen) for seen in round_of(pipeline)} == {"quick"}
    assert first.terminate() == 0
    second.kill()
    first, second = front(pipeline, "w1"), front(pipeline, "w2")
    shared(pipeline)
    assert {untagged(seen) for seen in round_of(pipeline)} == {"quick"}
    assert len(pipeline.client.all(f"{pipeline.name}.exposures")) == told
    status = json.loads(pipeline.headrace("status", file, "--json"))
    assert status["stopped_experiments"] == {"better": "ticket 12"}

    assert pipeline.headrace("experiment", "start", file, "better") == "started  better\n"
    for worker in (first, second):
        until("the start", lambda worker=worker: has_heard(worker, "as it was"), patience_s=FOLLOW_S)  # type: ignore[misc]
    for seen in round_of(pipeline):
        assert met(seen) == (1, variants[seen.body["unit"]])
        assert seen.body["model"] == ("expert" if met(seen)[1] == "treatment" else "quick")


def has_heard(worker: Worker, change: str) -> bool:
    """Whether a worker says that the experiment was stopped, or started."""
    return any(f"changed: stopped/experiment/better is {change}" in line for line in worker.lines)


def untagged(seen: Seen) -> str:
    """The model of a result that met nothing."""
    assert seen.body["experiments"] == []
    return str(seen.body["model"])
