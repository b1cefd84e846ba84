"""What a command may name, and what it is told when it names something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.core.plan.compile import compile_file
from headrace.core.plan.plan import Plan
from headrace.streams.control.errors import UnknownTargetError
from headrace.streams.control.target import Reading, known, reading, readings, refuse_unknown

FILE = """\
headrace: 1
pipeline: reviews
input: {topic: reviews.in, text: body}
models: {quick: lexicon, slow: lexicon}
output: [{topic: {name: reviews.scored}}]
route: {single: {model: quick}}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    file = tmp_path / "reviews.yaml"
    file.write_text(FILE)
    return compile_file(file, registry=str(tmp_path))


def test_a_stage_that_reads_a_topic_can_be_named(plan: Plan) -> None:
    assert readings(plan) == (Reading("ingress", "reviews.in", "reviews.ingress"),)
    assert reading(plan, "ingress").topic == "reviews.in"


@pytest.mark.provokes("HR439")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ingres", "no stage 'ingres'; did you mean 'ingress'"),
        ("zebra", "no stage 'zebra'; stages: ingress"),
        ("quick", "stage 'quick' reads no topic: .*; name one of ingress, or give it a group"),
    ],
)
def test_another_name_is_refused_with_the_nearest_or_all(plan: Plan, name: str, told: str) -> None:
    with pytest.raises(UnknownTargetError) as caught:
        reading(plan, name)
    assert caught.match(f"HR439 .*{told}")


def test_models_are_those_of_the_file(plan: Plan) -> None:
    assert known("model", plan) == ("quick", "slow")
    refuse_unknown("model", "quick", known("model", plan))
    with pytest.raises(UnknownTargetError, match="no model 'quik'; did you mean 'quick'"):
        refuse_unknown("model", "quik", known("model", plan))
