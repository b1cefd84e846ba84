"""One file with experiments, fused and over two workers of ingress: a unit meets one variant, wherever and whenever.

Each record is published to any partition, so every unit is read by both workers. It would prove nothing if no worker
was killed in the middle, if a variant served nobody, or if both workers had not split: all of it is asserted.
What a unit must meet is asked of `headrace experiment show`, as a user would.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from headrace.core.registry.folder import read_folder
from headrace.core.registry.store import Registry
from tests.journeys.conftest import MakePipeline, ending
from tests.support.client import Seen, until
from tests.support.pipeline import Pipeline
from tests.tiny_model import write_model

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

PARTITIONS = 4
UNITS = [f"user{at}" for at in range(60)]
ROUNDS = 8
APART = {
    "front": {"stages": ["ingress"]},
    "expert": {"stages": ["expert"]},
    "treated": {"stages": ["expert.better.treatment"]},
}
SLOW_MS = 20


class Facts(NamedTuple):
    """What came out of a run: the results, and all exposures until then."""

    results: list[Seen]
    exposures: list[Seen]


def sections(pipeline: Pipeline, *weights: int, **more: Any) -> dict[str, Any]:
    """A cascade whose expert is another version for the treatment, beside an experiment of a segment and a holdout."""
    treated = {"models": {"expert": {"onnx": {"model": "reviews@2"}}}}
    strict = {"postprocess": [{"labels": {"threshold": 0.99, "otherwise": "unsure"}}]}
    control, treatment = weights
    return {
        "registry": str(pipeline.folder / "registry"),
        "input": {"topic": pipeline.input, "text": "text", "unit": "user"},
        "topics": {"partitions": PARTITIONS},
        "preprocess": [{"slow": {"ms": SLOW_MS}}],
        "models": {"quick": "echo", "expert": {"onnx": {"model": "reviews@1"}}},
        "route": {"cascade": {"order": ["quick", "expert"], "accept": 0.5}},
        "experiments": {
            "better": {
                "variants": {"control": {"weight": control}, "treatment": {"weight": treatment, "set": treated}}
            },
            "stricter": {"variants": {"lax": {}, "strict": {"set": strict}}, "segment": "value.country == 'nl'"},
        },
        "holdout": 0.3,  # whom it holds out hangs on the pipeline's name, another one each time: enough in any case
        **more,
    }


def messages(rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """Every unit in every partition, some of one country, some sure for the quick model; and some without a unit."""
    made: list[dict[str, Any]] = []
    for turn in range(rounds):
        for at, unit in enumerate(UNITS):
            value = {"text": f"0.{at % 10} a good film {turn}", "user": unit, "country": "nl" if at % 3 else "be"}
            made.append({"value": json.dumps(value), "partition": (at + turn) % PARTITIONS})
        made.append({"value": json.dumps({"text": "0.1 nobody's"}), "partition": turn % PARTITIONS})
    return made


def shown(pipeline: Pipeline, experiment: str) -> dict[str, str]:
    """What `headrace experiment show` says that each unit meets; without those that meet nothing."""
    asked = [word for unit in UNITS for word in ("--unit", unit)]
    facts = json.loads(pipeline.headrace("experiment", "show", str(pipeline.file), experiment, "--json", *asked))
    return {one["unit"]: one["variant"] for one in facts["units"] if one["variant"]}


def met(seen: Seen, experiment: str) -> tuple[int, str] | None:
    """The phase and the variant of an experiment in a result; None when it met nothing of it."""
    found = [(one["phase"], one["variant"]) for one in seen.body["experiments"] if one["id"] == experiment]
    assert len(found) < 2, seen.body
    return found[0] if found else None


def same(seen: Seen) -> str:
    """What of a result must not depend on processes: all but when it was, how long it took, and a score's last bits."""
    said = {name: value for name, value in seen.body.items() if name not in ("time", "timings")}
    output = {name: value for name, value in said["output"].items() if name not in ("score", "scores")}
    return json.dumps({**said, "output": output})


def latest(pipeline: Pipeline, before: list[Seen]) -> Facts:
    """What came since; at least once, so a record may have come twice."""
    results, dead = pipeline.ended()
    assert dead == []
    known = {seen.position for seen in before}
    fresh = [seen for seen in results if seen.position not in known]
    return Facts(fresh, pipeline.client.all(f"{pipeline.name}.exposures"))


@pytest.fixture(scope="module")
def pipeline(make_pipeline: MakePipeline) -> Iterator[Pipeline]:
    with ending(make_pipeline("divided")) as made:
        registry = Registry(str(made.folder / "registry"))
        for seed in (1, 2):
            registry.add(read_folder(write_model(made.folder / f"tiny{seed}", seed=seed)), "reviews", alias=None)
        made.write(**sections(made, 1, 1))
        yield made


@pytest.fixture(scope="module")
def fused(pipeline: Pipeline) -> Facts:
    """All of it in one process."""
    worker = pipeline.run()
    pipeline.client.publish(pipeline.input, *messages())
    facts = latest(pipeline, [])
    assert worker.terminate() == 0
    assert pipeline.links() == []
    return facts


@pytest.fixture(scope="module")
def split(pipeline: Pipeline, fused: Facts) -> Facts:
    """The same messages, read again over two workers of ingress, one of which is killed in the middle."""
    pipeline.client.commit(pipeline.group, pipeline.input, dict.fromkeys(range(PARTITIONS), 0))
    pipeline.write(**sections(pipeline, 1, 1, groups=APART))
    pipeline.headrace("pause", str(pipeline.file), "--stage", "ingress")
    front, other = (pipeline.start("--group", "front", "--worker", name) for name in ("w1", "w2"))
    pipeline.run_groups("main", "expert", "treated")
    until("partitions for both", lambda: len(pipeline.readers()) == 2)
    pipeline.headrace("resume", str(pipeline.file))
    for worker in (other, front):
        until("a batch of it", lambda worker=worker: worker.figure("headrace_in_flight_records", stage="ingress"))  # type: ignore[misc]
    front.kill()
    assert pipeline.client.lag(pipeline.group, pipeline.input) > 0, "it was killed in the middle"
    pipeline.start("--group", "front", "--worker", "w1").ready()
    return latest(pipeline, fused.results)


def test_fused_and_split_give_the_same_results_record_by_record(fused: Facts, split: Facts) -> None:
    assert len(fused.results) == len(messages())
    assert {same(seen) for seen in split.results} == {same(seen) for seen in fused.results}
    scores = {seen.body["id"]: seen.body["output"]["score"] for seen in fused.results}
    for seen in split.results:
        assert seen.body["output"]["score"] == pytest.approx(scores[seen.body["id"]], abs=1e-5)


@pytest.mark.parametrize("run", ["fused", "split"])
def test_a_unit_meets_what_experiment_show_says_in_every_partition(
    run: str, pipeline: Pipeline, request: pytest.FixtureRequest
) -> None:
    results = request.getfixturevalue(run).results
    held, better, stricter = (shown(pipeline, name) for name in ("holdout", "better", "stricter"))
    assert min(Counter(better.values()).values()) > 5
    assert len(held) > 1
    for seen in results:
        unit, is_dutch = seen.body["unit"], _is_dutch(seen)
        assert met(seen, "holdout") == ((1, held[unit]) if unit in held else None), seen.body
        assert met(seen, "better") == ((1, better[unit]) if unit in better else None), seen.body
        assert met(seen, "stricter") == ((1, stricter[unit]) if unit in stricter and is_dutch else None), seen.body
    partitions = {(seen.body["unit"], seen.body["source"]["partition"]) for seen in results}
    assert {(unit, partition) for unit in UNITS for partition in range(PARTITIONS)} <= partitions


def _is_dutch(seen: Seen) -> bool:
    unit = seen.body["unit"]
    return unit is not None and UNITS.index(unit) % 3 != 0


@pytest.mark.parametrize("run", ["fused", "split"])
def test_a_variants_model_serves_those_who_met_it_under_its_own_version(
    run: str, request: pytest.FixtureRequest
) -> None:
    served = Counter(
        (
            (met(seen, "better") or (1, None))[1],
            seen.body["assigned_model"],
            seen.body["model"],
            seen.body["version"],
        )
        for seen in request.getfixturevalue(run).results
    )
    assert served.keys() == {
        (variant, "quick", *by)
        for variant, version in ((None, "reviews@1"), ("control", "reviews@1"), ("treatment", "reviews@2"))
        for by in (("quick", "quick"), ("expert", version))
    }, served


def test_an_exposure_is_told_of_each_meeting_under_one_id(pipeline: Pipeline, fused: Facts, split: Facts) -> None:
    wanted = {
        (seen.body["unit"], one["id"], one["phase"], one["variant"])
        for seen in fused.results
        for one in seen.body["experiments"]
    }
    for facts, most in ((fused, 1), (split, 5)):  # each worker that split tells, and the killed one's next life
        times = Counter(meeting(seen) for seen in facts.exposures)
        assert times.keys() == wanted
        assert max(times.values()) <= most
    ids = {(meeting(seen), seen.header("ce_id")) for seen in split.exposures}
    assert len(ids) == len(wanted) == len({ce_id for _, ce_id in ids})
    assert {seen.key for seen in split.exposures} == {unit.encode() for unit, *_ in wanted}
    assert {seen.body["plan"] for seen in split.exposures} == {split.results[0].body["plan"]}


def meeting(seen: Seen) -> tuple[Any, ...]:
    """What an exposure tells."""
    return tuple(seen.body[name] for name in ("unit", "experiment", "phase", "variant"))
