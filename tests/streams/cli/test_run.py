"""`headrace run`: what it refuses before anything starts, and how many processes a plan needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.core.plan.compile import compile_file
from headrace.streams.cli.run import is_single

Headrace = Callable[..., Any]


@pytest.mark.provokes("HR440")
def test_a_group_that_there_is_not_is_refused_with_the_nearest_one(headrace: Headrace, pipeline_file: Path) -> None:
    pipeline_file.write_text(pipeline_file.read_text() + "groups: {heavy: {models: [slow]}}\n")
    outcome = headrace("run", pipeline_file, "--group", "hevy")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "HR440 the pipeline has no group 'hevy'; did you mean 'heavy'?\n"


@pytest.mark.provokes("HR441")
@pytest.mark.parametrize("name", ["a/b", "a b", "ä", "w" * 101])
def test_a_name_that_kafka_or_a_setting_could_not_hold_is_refused(
    headrace: Headrace, pipeline_file: Path, name: str
) -> None:
    outcome = headrace("run", pipeline_file, "--worker", name)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"HR441 {name!r} cannot name a worker; use up to 100 letters")


@pytest.mark.parametrize(
    ("groups", "alone"),
    [("", True), ("groups: {main: {replicas: 2}}\n", False), ("groups: {heavy: {models: [slow]}}\n", False)],
)
def test_only_a_plan_of_one_group_and_one_worker_runs_in_this_process(
    pipeline_file: Path, tmp_path: Path, groups: str, alone: bool
) -> None:
    pipeline_file.write_text(pipeline_file.read_text() + groups)
    assert is_single(compile_file(pipeline_file, registry=str(tmp_path))) is alone
