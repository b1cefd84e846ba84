"""The ways of records from stage to stage."""

from __future__ import annotations

from headrace.core.plan.stages import StageSketch, model_stages
from headrace.core.plan.ways import ways
from headrace.core.step import ModelFacts, ShardFacts

INGRESS = StageSketch("ingress", "ingress", (), "ingress")
EGRESS = StageSketch("egress", "egress", (), "egress")


def stages(*models: str, parts: int = 0) -> list[StageSketch]:
    facts = ModelFacts("1", shards=tuple(ShardFacts(1, str(at)) for at in range(parts)))
    between = [stage for model in models for stage in model_stages(model, model, "step", facts)]
    return [INGRESS, *between, EGRESS]


def test_every_model_of_an_order_may_be_the_last() -> None:
    assert ways(stages("a", "b"), [("a", "b")]) == (
        ("ingress", "a"),
        ("ingress", "egress"),
        ("a", "b"),
        ("a", "egress"),
        ("b", "egress"),
    )


def test_the_parts_of_a_model_follow_each_other_and_a_record_may_end_at_any_of_them() -> None:
    assert ways(stages("a", parts=3), [("a",)]) == (
        ("ingress", "a.1"),
        ("ingress", "egress"),
        ("a.1", "a.2"),
        ("a.1", "egress"),
        ("a.2", "a.3"),
        ("a.2", "egress"),
        ("a.3", "egress"),
    )


def test_a_model_that_no_order_names_is_not_on_the_way() -> None:
    assert all("b" not in way for way in ways(stages("a", "b"), [("a",)]))
