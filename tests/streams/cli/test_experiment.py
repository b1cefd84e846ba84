"""`headrace experiment`: what a file's experiments are, and who meets what in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.core.experiments.assign import variants
from headrace.core.experiments.experiment import Experiment

Headrace = Callable[..., Any]

EXPERIMENTS = """\
experiments:
  slow-first:
    layer: routing
    slice: [0, 0.5]
    coverage: 0.8
    segment: value.country == 'nl'
    seed: s1
    variants:
      control: {}
      treatment: {weight: 3, set: {route: {single: {model: slow}}, preprocess: []}}
  rest:
    layer: routing
    slice: [0.5, 1]
    variants: {control: {}, treatment: {set: {route: {single: {model: quick}}}}}
holdout: 0.1
"""
SLOW = Experiment(
    "slow-first",
    ("control", "treatment"),
    (0.25, 0.75),
    "s1",
    coverage=0.8,
    layer="routing",
    layer_range=(0.0, 0.5),
)


@pytest.fixture
def file(pipeline_file: Path) -> Path:
    pipeline_file.write_text(pipeline_file.read_text() + EXPERIMENTS)
    return pipeline_file


def test_experiments_are_listed_with_the_holdout(headrace: Headrace, file: Path) -> None:
    outcome = headrace("experiment", "list", file)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "experiment  variants                    coverage  layer                segment",
        "holdout     held-out 100%               10%       -                    -",
        "slow-first  control 25%, treatment 75%  80%       routing 0% to 50%    value.country == 'nl'",
        "rest        control 50%, treatment 50%  100%      routing 50% to 100%  -",
    ]


def test_a_file_without_experiments_says_so(headrace: Headrace, pipeline_file: Path) -> None:
    outcome = headrace("experiment", "list", pipeline_file)
    assert (outcome.code, outcome.out) == (0, "")
    assert "has no experiments" in outcome.err
    assert headrace("experiment", "list", pipeline_file, "--json").out == "[]\n"


def test_one_experiment_is_shown_whole(headrace: Headrace, file: Path) -> None:
    assert headrace("experiment", "show", file, "slow-first").out.splitlines() == [
        "experiment  slow-first",
        "coverage    80%",
        "segment     value.country == 'nl'",
        "layer       routing 0% to 50%",
        "seed        s1",
        "",
        "Variants",
        "variant    weight  sets",
        "control    25%     -",
        "treatment  75%     preprocess, route",
    ]


def test_units_are_told_what_they_meet_and_why_not(headrace: Headrace, file: Path) -> None:
    units = [f"user-{at}" for at in range(60)]
    words = [word for unit in units for word in ("--unit", unit)]
    told = json.loads(headrace("experiment", "show", file, "slow-first", *words, "--json").out)["units"]
    held = json.loads(headrace("experiment", "show", file, "holdout", *words, "--json").out)["units"]
    assert [one["unit"] for one in told] == units
    for one, out, expected in zip(told, held, variants(units, SLOW), strict=True):
        assert one["variant"] == (None if out["variant"] else expected)
        assert (one["reason"] is None) == (one["variant"] is not None)
    assert {one["reason"] for one in told} == {
        None,
        "held out of every experiment",
        "in another slice of layer routing",
        "outside of its coverage",
    }
    assert {(one["variant"], one["reason"]) for one in held} == {
        ("held-out", None),
        (None, "outside of its coverage"),
    }


def test_people_are_told_in_words(headrace: Headrace, file: Path) -> None:
    units = [f"user-{at}" for at in range(30)]
    expected = next(unit for unit, met in zip(units, variants(units, SLOW), strict=True) if met == "treatment")
    outcome = headrace("experiment", "show", file, "slow-first", "--unit", expected, "--unit", "")
    table = outcome.out.partition("Units\n")[2].splitlines()
    assert [line.removeprefix(expected).strip() for line in table[1:]] == [
        "treatment",
        "nothing: an empty unit is none",
    ]
    assert outcome.err == "only with records of the segment\n"


@pytest.mark.provokes("HR118")
def test_an_unknown_experiment_is_one_line_with_the_nearest_name(headrace: Headrace, file: Path) -> None:
    outcome = headrace("experiment", "show", file, "slow-frist")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"HR118 {file} has no experiment 'slow-frist'; did you mean 'slow-first'?\n"


def test_what_is_wrong_with_the_file_is_said_instead(headrace: Headrace, file: Path) -> None:
    file.write_text(file.read_text().replace("[0, 0.5]", "[0, 0.6]"))
    outcome = headrace("experiment", "list", file)
    assert (outcome.code, outcome.out) == (1, "")
    assert "HR117" in outcome.err
    file.write_text("headrace: 1\n")
    assert [line.split(" ")[1] for line in headrace("experiment", "list", file).err.splitlines()] == ["HR105"] * 3
