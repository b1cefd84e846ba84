"""GrowthBook's own cases, which every SDK of theirs passes, hold for our arithmetic too.

Read from a folder beside the repository, since the file is not ours to pass on. Taken: `hash`, `getBucketRange`,
`chooseVariation`, `getEqualWeights`, `inNamespace`, and of `run` what uses nothing but attributes, weights, coverage,
namespace, seed and hash version. Left out of `run`, each because Headrace has no such thing:

- a single variation: a file with one variant is refused;
- force, forced variations, url, query strings, QA mode, enabled, active: nobody is sent to a variant by hand, and an
  experiment that shall not run is not in the file;
- condition, saved groups, parent conditions: segments are CEL, not MongoDB queries;
- filters and ranges: a layer and its slices, weights and coverage say the same in one way.

It would prove nothing if the folder were there and no case found, or if the filter let fewer through: both are counted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headrace.core.experiments.assign import assign, variants
from headrace.core.experiments.bucket import bucket_ranges, choose, equal_weights, in_slice
from headrace.core.experiments.experiment import Experiment
from headrace.core.experiments.hash import point

ROOT = Path(__file__).parents[3]
FOLDERS = [parent / "shared" / "vectors" for parent in (ROOT.parent, ROOT.parent.parent)]  # a worktree lies deeper
COUNTS = {"hash": 15, "getBucketRange": 13, "chooseVariation": 13, "getEqualWeights": 6, "inNamespace": 16, "run": 49}

CONTEXT_KEYS = {"attributes"}
EXPERIMENT_KEYS = {"key", "variations", "weights", "coverage", "namespace", "seed", "hashVersion", "hashAttribute"}


def read_cases() -> dict[str, list[Any]]:
    for folder in FOLDERS:
        file = folder / "growthbook-cases.json"
        if file.exists():
            found: dict[str, list[Any]] = json.loads(file.read_text(encoding="utf-8"))
            return {**found, "run": [case for case in found["run"] if is_applicable(case)]}
    return {}


def is_applicable(case: list[Any]) -> bool:
    _, context, experiment, *_ = case
    return context.keys() <= CONTEXT_KEYS and experiment.keys() <= EXPERIMENT_KEYS and len(experiment["variations"]) > 1


CASES = read_cases()


def cases_of(section: str) -> pytest.MarkDecorator:
    """Parametrise a test with the cases of a section; without the file, with one that says that it is skipped."""
    if section not in CASES:
        missing = pytest.mark.skip(reason="shared/vectors is not beside this repository")
        return pytest.mark.parametrize("case", [pytest.param([], marks=missing)])
    named = [pytest.param(case, id=f"{at} {str(case[0])[:40]}") for at, case in enumerate(CASES[section])]
    return pytest.mark.parametrize("case", named)


def test_where_the_folder_is_its_cases_are_found_and_none_is_lost() -> None:
    assert bool(CASES) == any(folder.exists() for folder in FOLDERS)
    assert {section: len(CASES[section]) for section in COUNTS if CASES} == (COUNTS if CASES else {})


@cases_of("hash")
def test_case_of_hash(case: list[Any]) -> None:
    seed, value, version, expected = case
    assert point(seed, value, version) == expected


@cases_of("getBucketRange")
def test_case_of_bucket_ranges(case: list[Any]) -> None:
    _, (count, coverage, weights), expected = case
    found = bucket_ranges(count, coverage, weights)
    assert [list(pair) for pair in found] == [pytest.approx(pair) for pair in expected]


@cases_of("chooseVariation")
def test_case_of_choice(case: list[Any]) -> None:
    _, at, ranges, expected = case
    assert choose(at, ranges) == expected


@cases_of("getEqualWeights")
def test_case_of_equal_weights(case: list[Any]) -> None:
    count, expected = case
    assert equal_weights(count) == pytest.approx(expected)


@cases_of("inNamespace")
def test_case_of_layer(case: list[Any]) -> None:
    _, unit, (layer, begin, end), expected = case
    assert in_slice(unit, layer, (begin, end)) is expected


@cases_of("run")
def test_case_of_assignment(case: list[Any]) -> None:
    _, context, asked, value, is_enrolled, _ = case
    unit = context.get("attributes", {}).get(asked.get("hashAttribute", "id"))
    experiment = experiment_of(asked)
    index = asked["variations"].index(value)
    expected = experiment.variants[index] if is_enrolled else None
    assert assign(unit, experiment, {}) == expected
    if unit:
        assert variants([unit] * 40, experiment) == [expected] * 40


def experiment_of(asked: dict[str, Any]) -> Experiment:
    count = len(asked["variations"])
    layer, *part = asked.get("namespace") or (None, 0.0, 1.0)
    return Experiment(
        id=asked["key"],
        variants=tuple(f"v{at}" for at in range(count)),
        weights=tuple(asked.get("weights") or equal_weights(count)),
        seed=asked.get("seed", asked["key"]),
        coverage=asked.get("coverage", 1.0),
        layer=layer,
        layer_range=(part[0], part[1]),
        hash_version=asked.get("hashVersion", 1),
    )
